"""A client of the service: images go out, and come back with defects, masks and facts."""

import json
import time
import urllib.error
import urllib.request
import uuid
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np

from synthgen.errors import InputError, RunError
from synthgen.images import png
from synthgen.images.decode import decode
from synthgen.images.masks import read_mask
from synthgen.images.pixels import Pixels
from synthgen.sample import Facts

Image = bytes | str | Path | Pixels
"""An encoded image, the path of one, or its pixels (H, W), (H, W, 1) or (H, W, 3) uint8."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One sample: ``image`` (H, W, C) and ``mask`` (H, W) with 0 and 255, uint8."""

    image: Pixels
    mask: Pixels
    normal: Pixels | None
    """(H, W, C), where the recipe's ``output.keep_normal`` is true."""
    facts: Facts


@dataclass(frozen=True, slots=True)
class Anomalies:
    """The samples of one request; the same images, recipe and seed give them again."""

    seed: int
    samples: list[Anomaly]


class Client:
    """Asks one service. Not for several threads at once.

    Every method raises InputError for what the service refuses (4xx), and RunError where it cannot be
    reached, fails, or is still busy after ``patience`` seconds, during which it is asked again as it says.
    """

    def __init__(self, url: str = "http://127.0.0.1:8000", key: str = "", patience: float = 60.0) -> None:
        self._url, self._patience = url.rstrip("/"), patience
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def anomalies(
        self,
        images: Sequence[Image],
        recipe: str | Mapping[str, Any],
        *,
        n: int = 1,
        seed: int | None = None,
        strength: float | tuple[float, float] | None = None,
        category: str = "",
    ) -> Anomalies:
        """Make ``n`` samples of some normal images.

        ``recipe`` is the name of one of the service's recipes, or the fields of one; ``strength``, a number
        or a range, replaces the recipe's s or delta.
        """
        fields = {"recipe": recipe if isinstance(recipe, str) else json.dumps(recipe), "n": str(n)}
        if seed is not None:
            fields["seed"] = str(seed)
        if strength is not None:
            fields["strength"] = ",".join(map(str, strength if isinstance(strength, tuple) else (strength,)))
        if category:
            fields["category"] = category
        body, content_type = _form(fields, [_encoded(image) for image in images])
        answer = json.loads(self._ask("/v1/anomalies", body, {"Content-Type": content_type}))
        return Anomalies(answer["seed"], [_anomaly(sample) for sample in answer["samples"]])

    def recipes(self) -> list[dict[str, Any]]:
        """The service's recipes: name, methods, count, shards."""
        found: list[dict[str, Any]] = json.loads(self._ask("/v1/recipes"))["recipes"]
        return found

    def shard(self, recipe: str, index: int) -> bytes:
        """A shard of a recipe (a tar), which the service makes if it was not made before."""
        return self._ask(f"/v1/recipes/{recipe}/shards/{index:06d}.tar")

    def shard_urls(self, recipe: str) -> str:
        """The URL of all shards of a recipe, as ``webdataset.WebDataset`` takes it."""
        shards = next((each["shards"] for each in self.recipes() if each["name"] == recipe), 0)
        if not shards:
            raise InputError(f"{self._url}: has no recipe {recipe!r} to make shards of")
        return f"{self._url}/v1/recipes/{recipe}/shards/{{000000..{shards - 1:06d}}}.tar"

    def _ask(self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
        request = urllib.request.Request(self._url + path, body, {**self._headers, **(headers or {})})
        deadline = time.monotonic() + self._patience
        while True:
            try:
                with urllib.request.urlopen(request, timeout=max(self._patience, 1)) as answer:
                    return bytes(answer.read())
            except urllib.error.HTTPError as error:
                wait = float(error.headers.get("Retry-After", "inf"))
                if time.monotonic() + wait > deadline:
                    raise _error_of(self._url, error) from error
                time.sleep(wait)
            except (OSError, HTTPException) as error:
                reason = getattr(error, "reason", error)
                raise RunError(
                    f"{self._url}: cannot be reached ({reason}); is the service running?"
                ) from error


def _error_of(url: str, error: urllib.error.HTTPError) -> InputError | RunError:
    try:
        detail = str(json.loads(error.read())["detail"])
    except (ValueError, KeyError, TypeError):
        detail = str(error.reason)
    error_type = InputError if error.code < 500 and error.code != 429 else RunError
    return error_type(f"{url}: {detail} ({error.code})")


def _encoded(image: Image) -> bytes:
    if isinstance(image, bytes):
        return image
    return Path(image).read_bytes() if isinstance(image, str | Path) else png.encode(image)


def _form(fields: Mapping[str, str], images: Sequence[bytes]) -> tuple[bytes, str]:
    line = uuid.uuid4().hex
    parts = [(f'name="{name}"', value.encode()) for name, value in fields.items()]
    parts += [(f'name="images"; filename="{number}"', data) for number, data in enumerate(images)]
    head = f"--{line}\r\nContent-Disposition: form-data; "
    body = b"".join(f"{head}{name}\r\n\r\n".encode() + value + b"\r\n" for name, value in parts)
    return body + f"--{line}--\r\n".encode(), f"multipart/form-data; boundary={line}"


def _anomaly(sample: Mapping[str, Any]) -> Anomaly:
    def pixels(name: str) -> Pixels:
        return np.asarray(decode(b64decode(sample[name])), np.uint8)

    normal = pixels("normal") if "normal" in sample else None
    facts = Facts.model_validate(sample["facts"])
    mask = np.where(read_mask(b64decode(sample["mask"])), np.uint8(255), np.uint8(0))
    return Anomaly(pixels("image"), mask, normal, facts)
