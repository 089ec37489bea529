"""Responses in the media type that a request accepts; the same samples give the same bytes."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from server.api.request_form import AnomalyRequest
from server.http.problems import Fault, Problem, refused
from server.workers.encoding import MEDIA_TYPES, boundary
from server.workers.jobs import Done, Encoded, Encoding
from synthgen.recipe.recipe import Output
from synthgen.sample import Facts
from synthgen.shards import tar

JSON, TAR, MULTIPART = "application/json", "application/x-tar", "multipart/mixed"
IMAGE_FORMATS = {media_type: image_format for image_format, media_type in MEDIA_TYPES.items()}
OFFERED = (JSON, *IMAGE_FORMATS, TAR, MULTIPART)
SLICE_BYTES = 512 * 1024
"""Written at a time: what the connection does not take at once is copied, and moved, again and again."""
ENCODINGS: dict[str, Encoding] = {JSON: "json", TAR: "block", MULTIPART: "multipart"}


class MadeSample(BaseModel):
    """A sample as JSON."""

    key: str = Field(description="The sample's index, nine digits.")
    media_type: str = Field(description="Of the image.")
    image: str = Field(description="The image, in Base64.")
    mask: str = Field(description="Base64 of a PNG: 255 where the image is anomalous, else 0.")
    normal: str = Field("", description="Base64 of a PNG, where the recipe's output.keep_normal is true.")
    facts: Facts = Field(description="How the sample was made.")


class MadeSamples(BaseModel):
    """The samples of a request as JSON; `_frame` and the workers write what this describes."""

    seed: int = Field(description="The seed, drawn where none was sent.")
    fingerprint: str = Field(description="Decides, with the versions of the libraries, every sample.")
    samples: list[MadeSample] = Field(description="As many as were asked for, in order.")


def accepted_type(request: Request) -> str:
    """The media type that the request likes best, the first offered among equals. Raises Problem (406)."""
    header = ",".join(request.headers.getlist("accept")) or "*/*"
    best, best_weight = "", 0.0
    for offered in OFFERED:
        weight = _weight(header, offered)
        if weight > best_weight:
            best, best_weight = offered, weight
    if not best:
        raise Problem(
            HTTPStatus.NOT_ACCEPTABLE,
            f"Accept: {header[:100]!r} names no media type of this response; there is {', '.join(OFFERED)}",
        )
    return best


def output_of(media_type: str, output: Output) -> Output:
    """How samples are encoded for a media type: an accepted image's own format."""
    wanted = IMAGE_FORMATS.get(media_type, output.image_format)
    return output.model_copy(update={"image_format": wanted})


def encoding_of(media_type: str) -> Encoding:
    """How the workers encode samples for a media type."""
    return ENCODINGS.get(media_type, "image")


def require_one(media_type: str, n: int) -> None:
    """Raise Problem where an image is accepted, and more than one sample requested."""
    if media_type in IMAGE_FORMATS and n != 1:
        detail = f"{media_type} holds one sample, and {n} were requested; accept {JSON} or {TAR}"
        raise refused(f"n: {detail}", Fault("n", detail))


async def respond(media_type: str, wanted: AnomalyRequest, pieces: AsyncIterator[Done]) -> Response:
    """The response. The first piece is waited for: what fails by then is a problem and no broken response."""
    first = await anext(pieces)
    headers = {"Synthgen-Seed": str(wanted.seed), "Synthgen-Fingerprint": first.fingerprint}
    if isinstance(first.made, Encoded) and media_type in IMAGE_FORMATS:
        headers["Synthgen-Facts"] = json.dumps(json.loads(first.made.facts[0]))  # a header is ASCII
    frame = _frame(media_type, wanted, first.fingerprint)
    data = first.made.data
    if wanted.n == first.samples:
        if len(data) <= SLICE_BYTES:
            await anext(pieces, None)  # its end
            whole = b"".join((frame.head, data, frame.tail))
            return Response(whole, headers=headers, media_type=frame.content_type)
        headers["Content-Length"] = str(len(frame.head) + len(data) + len(frame.tail))
    return StreamingResponse(_body(frame, first, pieces), headers=headers, media_type=frame.content_type)


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stands around the pieces of a response."""

    content_type: str
    head: bytes = b""
    between: bytes = b""
    tail: bytes = b""


def _frame(media_type: str, wanted: AnomalyRequest, fingerprint: str) -> _Frame:
    match media_type:
        case "application/json":
            head = f'{{"seed":{wanted.seed},"fingerprint":"{fingerprint}","samples":['
            return _Frame(JSON, head.encode(), b",", b"]}")
        case "application/x-tar":
            return _Frame(TAR, tail=tar.END_OF_ARCHIVE)
        case "multipart/mixed":
            line = boundary(fingerprint)
            return _Frame(f'{MULTIPART}; boundary="{line}"', tail=f"--{line}--\r\n".encode())
    return _Frame(media_type)


async def _body(frame: _Frame, first: Done, pieces: AsyncIterator[Done]) -> AsyncIterator[bytes | memoryview]:
    if frame.head:
        yield frame.head
    for part in _slices(first):
        yield part
    del first  # or it would stay in memory to the end of the response
    async for piece in pieces:
        if frame.between:
            yield frame.between
        for part in _slices(piece):
            yield part
    if frame.tail:
        yield frame.tail


def _slices(done: Done) -> Iterator[memoryview]:
    data = memoryview(done.made.data)
    return (data[start : start + SLICE_BYTES] for start in range(0, len(data), SLICE_BYTES))


def _weight(header: str, offered: str) -> float:
    """The weight of the most exact part of an Accept header that matches a type (RFC 9110, 12.5.1)."""
    family = offered.partition("/")[0]
    exactness = {offered: 3, f"{family}/*": 2, "*/*": 1}
    found, weight = 0, 0.0
    for part in header.split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        if exactness.get(name, 0) > found:
            found, weight = exactness[name], _quality(parameters)
    return weight


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
