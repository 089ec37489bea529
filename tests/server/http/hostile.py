"""Hostile files and requests, made by code: bombs, truncations, polyglots, and HTTP as nobody sends it."""

import io
import json
import socket
import struct
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from synthgen.images import png
from tests.server.requests import CUTPASTE, picture

LINE = b"a-line-between-parts"
FORM_TYPE = b"multipart/form-data; boundary=" + LINE
SIDE = 64
HUGE = 30_000
"""A side whose square is beyond every bound of pixels."""

Part = tuple[bytes, bytes]
"""What stands behind ``Content-Disposition: form-data;``, and the content."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back on a connection; status 0 where it was closed without a response."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def problem(self) -> dict[str, Any]:
        """The problem details."""
        assert self.headers["content-type"] == "application/problem+json", (self.status, self.headers)
        problem: dict[str, Any] = json.loads(self.body)
        return problem


def text(name: str, value: str | bytes) -> Part:
    """A field of a form."""
    return b'name="%s"' % name.encode(), value.encode() if isinstance(value, str) else value


def file(data: bytes, filename: bytes = b"image.png", name: bytes = b"images") -> Part:
    """A file of a form."""
    return b'name="%s"; filename="%s"' % (name, filename), data


def body_of(parts: Iterable[Part]) -> bytes:
    """The body of a form."""
    pieces = (b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (LINE, *part) for part in parts)
    return b"".join(pieces) + b"--%s--\r\n" % LINE


def post(body: bytes, content_type: bytes = FORM_TYPE, more: Iterable[bytes] = ()) -> bytes:
    """A whole request for anomalies."""
    lines = [b"Content-Type: " + content_type, b"Content-Length: %d" % len(body), *more]
    return head(b"POST /v1/anomalies", *lines) + body


def anomaly_request(*images: bytes, recipe: str | Mapping[str, Any] = CUTPASTE, **fields: str) -> bytes:
    """A request for anomalies on some images."""
    written = recipe if isinstance(recipe, str) else json.dumps(recipe)
    parts = [text("recipe", written), *(text(*field) for field in fields.items()), *map(file, images)]
    return post(body_of(parts))


def head(start: bytes, *lines: bytes, host: bytes = b"localhost") -> bytes:
    """Start line and headers of a request after which the connection ends."""
    every = [start + b" HTTP/1.1", b"Host: " + host, b"Connection: close", *lines]
    return b"\r\n".join(every) + b"\r\n\r\n"


def exchange(port: int, pieces: bytes | Iterable[bytes], seconds: float = 20.0) -> Response:
    """Send something, whatever it is, until the server has enough; then read the response to its end."""
    started = time.monotonic()
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        try:
            for piece in [pieces] if isinstance(pieces, bytes) else pieces:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it responds in the middle of what is sent
        try:
            while more := connection.recv(65536):
                received += more
        except ConnectionResetError:
            pass  # it closed the connection on what it had not read
    return _parsed(received, time.monotonic() - started)


def _parsed(received: bytes, seconds: float) -> Response:
    top, _, body = received.partition(b"\r\n\r\n")
    if not top:
        return Response(0, {}, b"", seconds)
    start, *lines = top.decode("latin-1").split("\r\n")
    named = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in named}
    return Response(int(start.split()[1]), headers, body, seconds)


def chunks(total: int, size: int = 2**20) -> Iterator[bytes]:
    """A chunked body of many bytes that is a form to begin with."""
    start = body_of([text("recipe", "x")])[: -len(LINE) - 6] + b"--%s\r\nContent-Disposition: " % LINE
    start += b'form-data; name="images"; filename="a.png"\r\n\r\n'
    yield b"%x\r\n%s\r\n" % (len(start), start)
    zeros = bytes(size)
    for _ in range(total // size):
        yield b"%x\r\n%s\r\n" % (size, zeros)
    yield b"0\r\n\r\n"


def drip(data: bytes, pause: float) -> Iterator[bytes]:
    """A byte at a time."""
    for value in data:
        yield bytes([value])
        time.sleep(pause)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """An encoded image."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(mode: str = "RGB") -> Image.Image:
    """A small picture of a mode of Pillow."""
    return Image.open(io.BytesIO(picture(1, SIDE))).convert(mode)


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int, data: bytes, depth: int = 8, colour: int = 2, *more: bytes) -> bytes:
    """A PNG with a header and data that need not fit together."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + b"".join(more)
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def bmp_of(width: int, height: int, data: bytes = b"", bits: int = 24) -> bytes:
    """A BMP with a header of choice."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, 0, 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, 54) + header + data


def tiff_of(tags: Mapping[int, int | tuple[int, int]], data: bytes = b"") -> bytes:
    """A TIFF with one directory: tag → value, or (type, value); the data begin at byte 8."""
    entries = b""
    for tag, value in sorted(tags.items()):
        kind, number = value if isinstance(value, tuple) else (4, value)
        packed = struct.pack("<HH", number, 0) if kind == 3 else struct.pack("<I", number)
        entries += struct.pack("<HHI", tag, kind, 1) + packed
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


def tiff_bomb(compression: int, *, tiled: bool) -> bytes:
    """A few bytes that claim to be HUGE x HUGE pixels."""
    data = zlib.compress(bytes(2**20))
    where = {322: 256, 323: 256, 324: 8, 325: len(data)} if tiled else {273: 8, 278: HUGE, 279: len(data)}
    tags = {256: HUGE, 257: HUGE, 258: (3, 8), 259: (3, compression), 262: (3, 1), 277: (3, 1), **where}
    return tiff_of(tags, data)


def jpeg_of_size(width: int, height: int) -> bytes:
    """A JPEG whose frame header claims another size."""
    data = bytearray(saved(photo(), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_of_size(width: int, height: int) -> bytes:
    """An extended WebP whose canvas claims another size."""
    frame = saved(photo(), "WEBP", lossless=True)[12:]
    canvas = struct.pack("<I", 0) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    inner = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + frame
    return b"RIFF" + struct.pack("<I", len(inner)) + inner


def bombs() -> dict[str, bytes]:
    """Small files that claim, or unfold to, far more than is taken; none may be decoded."""
    rows = zlib.compress(bytes(2**20), 9)
    text_chunk = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000), 1))
    profile = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(50_000_000), 1))
    return {
        "png-pixels": png_of(HUGE, HUGE, rows),
        "png-2-to-31": png_of(2**31 - 1, 2**31 - 1, rows),
        "png-narrow": png_of(2**31 - 1, 16, rows),
        "png-text": png_of(SIDE, SIDE, zlib.compress(bytes(3)), 8, 2, text_chunk),
        "png-profile": png_of(SIDE, SIDE, zlib.compress(bytes(3)), 8, 2, profile),
        "png-16-bit": png_of(HUGE, HUGE, rows, 16, 6),
        "jpeg-65500": jpeg_of_size(65_500, 65_500),
        "jpeg-60000-x-6000": jpeg_of_size(60_000, 6000),
        "bmp-2-to-31": bmp_of(2**31 - 1, 2**31 - 1),
        "bmp-huge": bmp_of(HUGE, HUGE),
        "bmp-huge-upside-down": bmp_of(HUGE, -HUGE),
        "bmp-1-bit": bmp_of(HUGE, HUGE, bits=1),
        "bmp-run-length": bmp_of(HUGE, HUGE, bits=8).replace(
            struct.pack("<HHI", 1, 8, 0), struct.pack("<HHI", 1, 8, 1)
        ),
        "tiff-raw": tiff_bomb(1, tiled=False),
        "tiff-raw-tiled": tiff_bomb(1, tiled=True),
        "tiff-lzw": tiff_bomb(5, tiled=False),
        "tiff-lzw-tiled": tiff_bomb(5, tiled=True),
        "tiff-deflate": tiff_bomb(8, tiled=False),
        "tiff-deflate-tiled": tiff_bomb(8, tiled=True),
        "tiff-packbits": tiff_bomb(32773, tiled=False),
        "tiff-fax": tiff_bomb(4, tiled=False),
        "tiff-jpeg": tiff_bomb(7, tiled=True),
        "tiff-huge-tile": tiff_of(
            {256: 64, 257: 64, 258: (3, 8), 259: (3, 8), 262: (3, 1), 277: (3, 1)}
            | {322: 60_000, 323: 60_000, 324: 8, 325: 16},
            zlib.compress(bytes(1000)),
        ),
        "webp-16383": webp_of_size(16_383, 16_383),
        "webp-2-to-24": webp_of_size(2**24, 2**24),
        "ppm-huge": b"P6 30000 30000 255\n",
        "ppm-digits": b"P6 99999999999999999999 99999999999999999999 255\n",
        "pgm-16-bit": b"P5 30000 30000 65535\n",
    }


def truncations() -> dict[str, bytes]:
    """Images that end too early."""
    made = {}
    for kind, options in ENCODINGS.items():
        whole = saved(photo(), kind.partition("-")[0], **options)
        for share in (1, 5, 20, 50, 80, 95):
            made[f"{kind}-{share}-percent"] = whole[: max(4, len(whole) * share // 100)]
    return made


ENCODINGS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 90},
    "JPEG-progressive": {"progressive": True},
    "BMP": {},
    "TIFF": {},
    "TIFF-lzw": {"compression": "tiff_lzw"},
    "TIFF-deflate": {"compression": "tiff_adobe_deflate"},
    "WEBP": {"lossless": True},
    "PPM": {},
}


def flips() -> dict[str, bytes]:
    """Images with some bits turned; whether they can still be decoded is up to the decoder."""
    made = {}
    for kind, options in ENCODINGS.items():
        whole = saved(photo(), kind.partition("-")[0], **options)
        for seed in range(4):
            stream = np.random.default_rng(seed)
            data = bytearray(whole)
            for at in stream.integers(4, len(data), 1 + 3 * seed):
                data[at] ^= 1 << stream.integers(8)
            made[f"{kind}-{seed}"] = bytes(data)
        # The headers are where a decoder trusts numbers.
        for at in (8, 16, 20, 24, 28):
            data = bytearray(whole)
            data[at : at + 2] = b"\xff\xff"
            made[f"{kind}-header-{at}"] = bytes(data)
    return made


def zipped() -> bytes:
    """A ZIP file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../etc/passwd", "root")
    return buffer.getvalue()


def foreign() -> dict[str, bytes]:
    """Files that are no image of the formats that are read, or none at all, whatever they are called."""
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    entity = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + svg
    return {
        "empty": b"",
        "one-byte": b"\x89",
        "zeros": bytes(1000),
        "noise": np.random.default_rng(0).bytes(1000),
        "gif": saved(photo("P"), "GIF"),
        "gif-89a-javascript": b"GIF89a/*" + bytes(100) + b"*/=1;alert(1)",
        "svg": svg,
        "svg-entity": entity,
        "pdf": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj",
        "html": b"<!doctype html><script>alert(1)</script>",
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
        "zip": zipped(),
        "ico": saved(photo(), "ICO"),
        "jpeg-2000-start": b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(100),
        "psd": b"8BPS" + bytes(100),
        "icns": saved(photo("RGBA"), "ICNS"),
        "tar-like": b"a.png".ljust(512, b"\0"),
        "pickle": b"\x80\x04\x95" + bytes(50),
        "numpy": b"\x93NUMPY\x01\0v\0{'descr': '|O', 'shape': (64, 64)}",
        "openexr": b"\x76\x2f\x31\x01" + bytes(100),
        "pfm": b"PF\n64 64\n-1.0\n" + bytes(64 * 64 * 12),
        "p3-in-text": b"P3 64 64 255\n" + b"1 2 3 " * 4096,
        "png-signature-alone": b"\x89PNG\r\n\x1a\n",
        "png-of-zero": png_of(0, 0, zlib.compress(b"")),
        "png-of-15": png.encode(np.zeros((15, 15, 3), np.uint8)),
        "png-without-data": png_of(SIDE, SIDE, b""),
        "png-wrong-checksum": png_of(SIDE, SIDE, b"")[:30] + bytes(40),
        "png-depth-3": png_of(SIDE, SIDE, zlib.compress(bytes(20_000)), 3),
        "png-colour-9": png_of(SIDE, SIDE, zlib.compress(bytes(20_000)), 8, 9),
        "png-palette-without": png_of(SIDE, SIDE, b"junk", 8, 3),
        "bmp-of-zero": bmp_of(0, 0),
        "bmp-negative-width": bmp_of(-64, 64, bytes(64 * 64 * 3)),
        "bmp-least-height": bmp_of(64, -(2**31), bytes(100)),
        "bmp-13-bits": bmp_of(64, 64, bytes(64 * 64 * 3), bits=13),
        "bmp-no-data": bmp_of(64, 64),
        "tiff-without-directory": b"II*\0\x08\0\0\0",
        "tiff-directory-far-away": b"II*\0\xff\xff\xff\x7f",
        "tiff-directory-of-itself": b"II*\0\x08\0\0\0\x00\x00\x08\0\0\0",
        "tiff-of-zero": tiff_of({256: 0, 257: 0, 258: (3, 8), 259: (3, 1), 262: (3, 1), 273: 8, 279: 0}),
        "tiff-float": saved(photo("F"), "TIFF"),
        "tiff-32-bit": saved(photo("I"), "TIFF"),
        "jpeg-of-zero": jpeg_of_size(0, 0),
        "jpeg-start-alone": b"\xff\xd8\xff\xe0",
        "webp-nothing": b"RIFF\x04\0\0\0WEBP",
        "webp-negative-length": b"RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\xff/",
        "ppm-of-zero": b"P6 0 0 255\n",
        "ppm-negative": b"P6 -64 -64 255\n" + bytes(20_000),
        "ppm-no-most": b"P5 64 64 0\n" + bytes(5000),
        "ppm-comment-without-end": b"P6 #" + b"a" * 100_000,
    }


def unusual() -> dict[str, bytes]:
    """Images that few have and that are valid all the same."""
    plain = picture(1, SIDE)
    grey = np.linspace(0, 65535, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint16)
    upside_down = bmp_of(SIDE, -SIDE, photo().tobytes())
    frames = [photo(), photo().rotate(90)]
    return {
        "png-and-zip": plain + zipped(),
        "png-and-html": plain + b"<script>alert(1)</script>",
        "png-with-data-to-spare": png_of(SIDE, SIDE, zlib.compress(bytes(10**6))[:1000]),
        "png-palette": saved(photo("P"), "PNG"),
        "png-palette-transparent": saved(photo("P"), "PNG", transparency=0),
        "png-1-bit": saved(photo("1"), "PNG"),
        "png-16-bit-grey": saved(Image.fromarray(grey), "PNG"),
        "png-alpha": saved(photo("RGBA"), "PNG"),
        "png-grey-alpha": saved(photo("LA"), "PNG"),
        "png-of-several": saved(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        "jpeg-cmyk": saved(photo("CMYK"), "JPEG"),
        "jpeg-grey": saved(photo("L"), "JPEG"),
        "jpeg-and-zip": saved(photo(), "JPEG") + zipped(),
        "jpeg-with-javascript": saved(photo(), "JPEG", comment=b"*/alert(1)/*"),
        "bmp-upside-down": upside_down,
        "bmp-palette": saved(photo("P"), "BMP"),
        "tiff-16-bit": saved(Image.fromarray(grey), "TIFF"),
        "tiff-of-several": saved(frames[0], "TIFF", save_all=True, append_images=frames[1:]),
        "tiff-lab": saved(photo("LAB"), "TIFF"),
        "webp-of-several": saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        "webp-lossy": saved(photo(), "WEBP", quality=20),
        "ppm-comment": b"P6 # a comment\n64 64\n255\n" + photo().tobytes(),
        "pgm-16-bit": b"P5 64 64 65535\n" + grey.astype(">u2").tobytes(),
        "thin": png.encode(np.zeros((16, 4096, 3), np.uint8)),
        "black": png.encode(np.zeros((SIDE, SIDE, 3), np.uint8)),
    }


def flat_png(side: int) -> bytes:
    """A black picture of side x side pixels in a few bytes."""
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(1 + side)) for _ in range(side)) + packer.flush()
    return png_of(side, side, rows, 8, 0)
