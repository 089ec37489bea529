"""Whether an encoded image has lost values, by its format."""

from typing import TYPE_CHECKING

from synthgen.images.tiff_tags import COMPRESSION, tiff_tag

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_TIFF_LOSSY = {6: "JPEG", 7: "JPEG", 50001: "WebP"}
"""Values of the tag of the compression; whether WebP is lossless there is not looked up."""


def lossy_format(image: "ImageFile", data: bytes) -> str | None:
    """The name of the format where it changes values; ``data`` are the file's bytes."""
    if image.format == "WEBP":
        return "lossy WebP" if is_lossy_webp(data) else None
    if image.format == "TIFF":
        inner = [_TIFF_LOSSY[tag] for tag in tiff_tag(image, COMPRESSION) if tag in _TIFF_LOSSY]
        return f"TIFF with {inner[0]} inside" if inner else None
    return "JPEG" if image.format == "JPEG" else None


def is_lossy_webp(data: bytes) -> bool:
    """Whether the first frame is a VP8 chunk, and not VP8L (RFC 9649, section 2.6)."""
    position = 12
    while position + 8 <= len(data):
        name = data[position : position + 4]
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if name in (b"VP8 ", b"VP8L"):
            return name == b"VP8 "
        # The chunks of a frame of an animation (ANMF) follow after its 16 bytes of place and duration.
        position += 8 + (16 if name == b"ANMF" else size + size % 2)
    return False
