"""Which values of 16-bit images become 0 … 255.

A camera of 10, 12 or 14 bits fills a part of 0 … 65535, so the range is found in the images. It holds, of
each image, the middle 98 % of the pixels and nearly all that a 3 x 3 median leaves: a product counts however
small it is, unless it is one pixel wide, and hot pixels do not. On either side the images that reach furthest
are passed over, one of three or more, or 2 %, so that an odd one, saturated or dark all over, does not count
either. For noise, the range reaches up to a tenth further on both sides, as far as there are images that end
there. What lies beyond is clipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from synthgen.images.pixels import Decoded

LEVELS = 65536
PASSED_OVER_OF_PIXELS = 100
"""One pixel of so many counts neither at the dark nor at the bright end …"""
PASSED_OVER_OF_MEDIANS = 100_000
"""… and one of so many after the median, which leaves a hot cluster rather than a hot pixel."""
PASSED_OVER_OF_IMAGES = 50
"""One image of so many is passed over, and at least one of three or more."""
MARGIN = 10
"""The range is widened by one part of so many on either side."""
BLOCK = 2**20
"""Values that are counted at a time: counting takes eight bytes each."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The values of one 16-bit image: the extremes, and between which the range is to reach."""

    darkest: int
    low: int
    high: int
    brightest: int


class DepthRange(BaseModel):
    """The range of some 16-bit images, and how far their values reach."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    range: tuple[int, int]
    """The first value and those below become 0, the second and those above 255."""
    images: int
    """How many images have 16 bits."""
    clipped: int
    """How many of them have values beyond the range."""
    darkest: int
    brightest: int

    def __str__(self) -> str:
        """One line for people."""
        low, high = self.range
        text = f"{low} … {high} becomes 0 … 255 in {self.images} image{'s' * (self.images > 1)}"
        if not self.clipped:
            return text
        beyond = f"values beyond are clipped, in {self.clipped} of them"
        return f"{text}; {beyond} (the extremes are {self.darkest} and {self.brightest})"


def levels(pixels: Decoded) -> Levels | None:
    """The values of a decoded image (H, W, C), all channels together; None for one of 8 bits."""
    if pixels.dtype == np.uint8:
        return None
    counts = _counts(pixels)
    low, high = _without_ends(counts, PASSED_OVER_OF_PIXELS)
    median = cast(Decoded, cv2.medianBlur(pixels, 3))
    lowest, highest = _without_ends(_counts(median), PASSED_OVER_OF_MEDIANS)
    darkest, brightest = _without_ends(counts, int(counts.sum()) + 1)
    return Levels(darkest, min(low, lowest), max(high, highest), brightest)


def depth_range(images: Sequence[Levels | None], chosen: tuple[int, int] | None = None) -> DepthRange | None:
    """The range of the 16-bit images among some, ``chosen`` or found; None where there is none."""
    deep = [image for image in images if image]
    if not deep:
        return None
    low, high = chosen or _found(deep)
    return DepthRange(
        range=(low, high),
        images=len(deep),
        clipped=sum(image.darkest < low or image.brightest > high for image in deep),
        darkest=min(image.darkest for image in deep),
        brightest=max(image.brightest for image in deep),
    )


def _found(images: Sequence[Levels]) -> tuple[int, int]:
    passed_over = max(1, len(images) // PASSED_OVER_OF_IMAGES) if len(images) > 2 else 0
    low = sorted(image.low for image in images)[passed_over]
    high = sorted(image.high for image in images)[-1 - passed_over]
    margin = (high - low) // MARGIN
    dark_ends = [image.darkest for image in images if image.darkest >= low - margin]
    bright_ends = [image.brightest for image in images if image.brightest <= high + margin]
    return (
        min(low, *dark_ends) if dark_ends else max(low - margin, 0),
        max(high, *bright_ends) if bright_ends else min(high + margin, LEVELS - 1),
    )


def _counts(pixels: Decoded) -> npt.NDArray[np.int64]:
    """How often each value occurs, (65536,)."""
    counts = np.zeros(LEVELS, np.int64)
    values = pixels.ravel()
    for first in range(0, values.size, BLOCK):
        counts += np.bincount(values[first : first + BLOCK], minlength=LEVELS)
    return counts


def _without_ends(counts: npt.NDArray[np.int64], one_of: int) -> tuple[int, int]:
    """The lowest and the highest value when one of so many values is passed over at either end."""
    passed_over = int(counts.sum()) // one_of
    low = int(np.searchsorted(np.cumsum(counts), passed_over, "right"))
    high = LEVELS - 1 - int(np.searchsorted(np.cumsum(counts[::-1]), passed_over, "right"))
    return low, high
