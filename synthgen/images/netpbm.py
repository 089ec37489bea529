"""The samples of PGM and PPM files (netpbm's P5 and P6), at full depth.

Pillow would scale 9 to 16 bits to 65535, one pixel after the other in Python, and leave 8 bits of colours.
"""

from typing import TYPE_CHECKING, cast

import numpy as np

from synthgen.images.pixels import Decoded

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile


def samples(image: "ImageFile", data: bytes) -> Decoded:
    """The (H, W, C) samples of a file whose header Pillow read; C is 1 or 3.

    What the header calls the largest value is scaled to 255 where it is less. Above 255, samples are uint16
    as they are stored, like those of a 12-bit TIFF. Raises ValueError for a file that ends too early or holds
    a value above its largest.
    """
    width, height = image.size
    shape = height, width, 3 if image.mode == "RGB" else 1
    largest = _largest_value(image)
    stored = np.dtype(">u2" if largest > 255 else np.uint8)
    offset, count = image.tile[0].offset, int(np.prod(shape))
    if len(data) < offset + count * stored.itemsize:
        raise ValueError(f"{len(data)} bytes of at least {offset + count * stored.itemsize}")
    values = np.frombuffer(data, stored, count, offset).reshape(shape)
    if values.max() > largest:
        raise ValueError(f"a value of {values.max()} is above {largest}, the largest by the header")
    if largest > 255:
        return values.astype(np.uint16)
    levels = ((np.arange(largest + 1) * 255 + largest // 2) // largest).astype(np.uint8)
    return cast(Decoded, levels[values])


def _largest_value(image: "ImageFile") -> int:
    # Pillow keeps it for its own decoder, or names the decoder that is for it.
    arguments = image.tile[0].args
    if isinstance(arguments, tuple):
        return int(arguments[1])
    return 65535 if arguments == "I;16B" else 255
