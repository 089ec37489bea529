"""Answers in the form that a request accepts; the same samples give the same bytes."""

import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Literal

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from server.asking import Asked
from server.making.forms import boundary
from server.making.jobs import Done, Form, Pieces
from server.problems import Fault, Problem, refused
from synthgen.recipe import Output
from synthgen.shards import tar
from synthgen.shards.writer import Block

JSON, TAR, MULTIPART = "application/json", "application/x-tar", "multipart/mixed"
IMAGE_FORMATS: dict[str, Literal["png", "jpg", "webp"]] = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
}
OFFERED = (JSON, *IMAGE_FORMATS, TAR, MULTIPART)
SLICE_BYTES = 512 * 1024
"""Written at a time: what the connection does not take at once is copied, and moved, again and again."""
FORMS: dict[str, Form] = {JSON: "json", TAR: "block", MULTIPART: "multipart"}


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
            f"Accept: {header[:100]!r} names nothing that is answered; there is {', '.join(OFFERED)}",
        )
    return best


def output_of(media_type: str, output: Output) -> Output:
    """How samples are encoded for a media type: an accepted image's own format."""
    wanted = IMAGE_FORMATS.get(media_type, output.image_format)
    return output.model_copy(update={"image_format": wanted})


def form_of(media_type: str) -> Form:
    """The form in which samples are made for a media type."""
    return FORMS.get(media_type, "image")


def require_one(media_type: str, n: int) -> None:
    """Raise Problem where an image is accepted, and more than one sample asked for."""
    if media_type in IMAGE_FORMATS and n != 1:
        detail = f"{media_type} holds one sample, and {n} were asked for; accept {JSON} or {TAR}"
        raise refused(f"n: {detail}", Fault("n", detail))


async def answer(media_type: str, asked: Asked, pieces: AsyncIterator[Done]) -> Response:
    """The response. The first piece is waited for: what fails by then is a problem and no broken answer."""
    first = await anext(pieces)
    headers = {"Synthgen-Seed": str(asked.seed), "Synthgen-Fingerprint": first.fingerprint}
    if media_type in IMAGE_FORMATS:
        await anext(pieces, None)
        assert isinstance(first.made, Pieces)
        headers["Synthgen-Facts"] = json.dumps(json.loads(first.made.facts[0]))  # a header is ASCII
        return Response(first.made.data[0], headers=headers, media_type=media_type)
    everything = _rest(first, pieces)
    match media_type:
        case "application/x-tar":
            body, content_type = _tar(everything), TAR
        case "multipart/mixed":
            body = _multipart(everything, first.fingerprint)
            content_type = f'{MULTIPART}; boundary="{boundary(first.fingerprint)}"'
        case _:
            head = f'{{"seed":{asked.seed},"fingerprint":"{first.fingerprint}","samples":['
            body, content_type = _json(head.encode(), everything), JSON
    if asked.n == first.samples:
        whole = b"".join([part async for part in body])
        return Response(whole, headers=headers, media_type=content_type)
    return StreamingResponse(body, headers=headers, media_type=content_type)


def _weight(header: str, offered: str) -> float:
    """The weight of the most exact part of an Accept header that matches a type (RFC 9110, 12.5.1)."""
    kind = offered.partition("/")[0]
    exactness = {offered: 3, f"{kind}/*": 2, "*/*": 1}
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


async def _rest(first: Done, pieces: AsyncIterator[Done]) -> AsyncIterator[Done]:
    yield first
    async for piece in pieces:
        yield piece


async def _tar(pieces: AsyncIterator[Done]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        assert isinstance(piece.made, Block)
        for start in range(0, len(piece.made.data), SLICE_BYTES):
            yield piece.made.data[start : start + SLICE_BYTES]
    yield tar.END_OF_ARCHIVE


async def _multipart(pieces: AsyncIterator[Done], fingerprint: str) -> AsyncIterator[bytes]:
    async for piece in pieces:
        assert isinstance(piece.made, Pieces)
        yield b"".join(piece.made.data)
    yield f"--{boundary(fingerprint)}--\r\n".encode()


async def _json(head: bytes, pieces: AsyncIterator[Done]) -> AsyncIterator[bytes]:
    before = head
    async for piece in pieces:
        assert isinstance(piece.made, Pieces)
        for sample in piece.made.data:
            yield before + sample
            before = b","
    yield b"]}"
