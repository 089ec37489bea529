"""Preparing decoded images: to 8 bits, to one size, to one number of channels."""

from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.images.decode import UnusableImage
from synthgen.images.pixels import Decoded, Mask, Pixels
from synthgen.images.preparation import Preparation


def prepare(pixels: Decoded, preparation: Preparation) -> Pixels:
    """Turn a decoded image into a sample's normal image, (H, W, C) uint8 of the preparation's size.

    With ``tile`` it keeps its own size: the tiles of samples are cut out of it.

    16-bit values are scaled by the recorded range: round((v - low) / (high - low) * 255), clipped.
    Raises UnusableImage where the image is smaller than the crop or tile, or is 16-bit and no range is
    recorded.
    """
    image = _fitted(_eight_bits(pixels, preparation.depth16), preparation)
    if image.shape[2] == preparation.channels:
        return image
    conversion = cv2.COLOR_RGB2GRAY if preparation.channels == 1 else cv2.COLOR_GRAY2RGB
    return cast(Pixels, cv2.cvtColor(image, conversion).reshape(*image.shape[:2], preparation.channels))


def prepare_mask(mask: Mask, preparation: Preparation) -> Pixels:
    """Give a mask the geometry of its image: (H, W) uint8 with 0 and 255.

    Resized, it is white where at least half of a pixel's area was. The mask must have the size of its image.
    Raises UnusableImage where it is smaller than the crop or tile.
    """
    white = mask.astype(np.uint8)[..., None] * np.uint8(255)
    fitted = _fitted(white, preparation)[..., 0]
    return np.where(fitted >= 128, np.uint8(255), np.uint8(0))


def half_covered(mask: npt.NDArray[np.bool_], side: int) -> npt.NDArray[np.bool_]:
    """A mask (H, W) at (side, side): true where at least half of a pixel's area is."""
    white = mask.astype(np.uint8)[..., None] * np.uint8(255)
    return np.asarray(
        _fitted(white, Preparation(size=(side, side), resize="whole", channels=1))[..., 0] >= 128
    )


def _eight_bits(pixels: Decoded, depth16: tuple[int, int] | None) -> Pixels:
    if pixels.dtype == np.uint8:
        return cast(Pixels, pixels)
    if depth16 is None:
        raise UnusableImage("the image has 16 bits, and the source's images have 8; convert it to 8 bits")
    low, high = depth16
    span = max(high - low, 1)
    values = np.arange(65536, dtype=np.int64)
    table = ((values - low) * 510 + span) // (2 * span)
    return table.clip(0, 255).astype(np.uint8)[pixels]


def _fitted(image: Pixels, preparation: Preparation) -> Pixels:
    """Resize, or cut the centre out of, an (H, W, C) image; leave one whole of which tiles are cut."""
    height, width = preparation.size
    if image.shape[:2] == (height, width):
        return image
    if preparation.resize == "whole":
        return _resized(image, height, width)
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    if top < 0 or left < 0:
        found = f"{image.shape[1]} x {image.shape[0]}"
        raise UnusableImage(
            f"the image is {found} pixels, smaller than the {preparation.resize} of {width} x {height}"
        )
    if preparation.resize == "tile":
        return image
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def _resized(image: Pixels, height: int, width: int) -> Pixels:
    """Shrink by area, which does not alias; enlarge linearly, which, unlike cubic, adds no halos at edges."""
    least = (min(width, image.shape[1]), min(height, image.shape[0]))
    shrunk = cv2.resize(image, least, interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR)
    return cast(Pixels, enlarged.reshape(height, width, -1))
