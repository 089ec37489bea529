"""Requests for anomalies as tests send them."""

import json
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from synthgen.images import png

CUTPASTE = {"synthesizers": [{"method": "cutpaste"}], "size": [64, 64]}


def picture(seed: int, side: int = 64, channels: int = 3) -> bytes:
    """A PNG of a smooth pattern of its own for each seed."""
    stream = np.random.default_rng(seed)
    coarse = stream.integers(0, 255, (8, 8, channels))
    fine = np.kron(coarse, np.ones((side // 8, side // 8, 1), np.int64))
    noisy = fine + stream.integers(-12, 12, fine.shape)
    return png.encode(np.clip(noisy, 0, 255).astype(np.uint8))


def form(
    url: str,
    images: Sequence[bytes],
    recipe: str | Mapping[str, Any],
    accept: str = "application/json",
    **fields: object,
) -> urllib.request.Request:
    """A request for anomalies."""
    text = recipe if isinstance(recipe, str) else json.dumps(recipe)
    line = "a-line-between-parts"
    parts = [
        f'name="{name}"\r\n\r\n{value}'.encode() for name, value in {"recipe": text, **fields}.items()
    ] + [
        f'name="images"; filename="{number}.png"\r\n\r\n'.encode() + image
        for number, image in enumerate(images)
    ]
    body = b"".join(
        b"--%s\r\nContent-Disposition: form-data; %s\r\n" % (line.encode(), part) for part in parts
    )
    return urllib.request.Request(
        f"{url}/v1/anomalies",
        body + f"--{line}--\r\n".encode(),
        {"Content-Type": f"multipart/form-data; boundary={line}", "Accept": accept},
    )
