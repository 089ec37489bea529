"""The tags of a TIFF's first page, as Pillow has read them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

BITS, COMPRESSION, PHOTOMETRIC, PLANES, EXTRA_SAMPLES = 258, 259, 262, 284, 338
PIECES = ((273, 279), (324, 325))
"""Tags of the offsets and byte counts of strips, and of tiles."""


def tiff_tag(image: "ImageFile", tag: int) -> tuple[int, ...]:
    """The values of a TIFF tag; none for other formats."""
    value = getattr(image, "tag_v2", {}).get(tag, ())
    return value if isinstance(value, tuple) else (value,)
