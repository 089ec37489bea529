"""The mark by which we know the pictures that we draw: sheets, charts, replays are no products."""

import struct
from io import BytesIO
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from PIL.Image import Image

_KIND, _TEXT = b"tEXt", b"Software\0synthgen"
_MARK = struct.pack(">I", len(_TEXT)) + _KIND + _TEXT + struct.pack(">I", crc32(_KIND + _TEXT))
_HEADER_END = 8 + 25
"""The signature, and the chunk IHDR (PNG 1.2, section 4.1.1)."""
MARK_BYTES = _HEADER_END + len(_MARK)
"""How many bytes from a file's start show whether it has the mark."""


def drawn(picture: "Image") -> bytes:
    """A picture that we drew as a PNG with the mark."""
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return marked(buffer.getvalue())


def marked(png: bytes) -> bytes:
    """A PNG with the mark as its first text."""
    return png[:_HEADER_END] + _MARK + png[_HEADER_END:]


def is_marked(data: bytes) -> bool:
    """Whether a file, or its first ``MARK_BYTES`` bytes, has the mark."""
    return data[_HEADER_END:MARK_BYTES] == _MARK
