"""The size of samples that a first recipe proposes: never larger than the images, and of their proportion."""

import math
from collections import Counter
from typing import Literal, NamedTuple

from synthgen.images.preparation import MIN_SIDE, Resize

Size = tuple[int, int]
"""Height and width."""

MOST_NATIVE_SIDE = 512
"""Images of one size are kept as they are up to this side, whatever their proportion."""
MOST_SHORTER_SIDE = 256
MOST_LONGER_SIDE = 8192
MOST_PIXELS = 2**20
"""What a long strip is shrunk to, where its shorter side alone would leave it larger."""
_STEP = 16
"""The longer side of images that are shrunk is a multiple of it."""


class ProposedSize(NamedTuple):
    """How images become samples, and why so, in a sentence."""

    size: Size | Literal["native"]
    resize: Resize
    why: str


def propose_size(sizes: Counter[Size]) -> ProposedSize:
    """What becomes of images of these sizes (height, width).

    Images of one size are kept up to 512 pixels a side, and strips of it while their shorter side is at most
    256 pixels and they have no more than 2^20. Others are shrunk to that. Of several sizes the least height
    and the least width count, so that no image is enlarged.
    """
    height, width = (min(sides) for sides in zip(*sizes, strict=True))
    size = _shrunk(height, width)
    if len(sizes) > 1:
        least = f"The least width and height of the images, {width} x {height} pixels"
        shrunk = "" if size == (height, width) else ", shrunk"
        return ProposedSize(size, "whole", f"{least}{shrunk}, so that none is enlarged.")
    if size == (height, width) or max(height, width) <= MOST_NATIVE_SIDE:
        return ProposedSize("native", "whole", "The images have one size, which is kept.")
    found = f"The images have {width} x {height} pixels (width x height), which are shrunk."
    return ProposedSize(size, "whole", found)


def _shrunk(height: int, width: int) -> Size:
    """The size within the bounds that has the proportion of height x width, or is that itself."""
    shorter, longer = sorted((height, width))
    shrink = min(
        MOST_SHORTER_SIDE / shorter, math.sqrt(MOST_PIXELS / (height * width)), MOST_LONGER_SIDE / longer
    )
    if shrink >= 1:
        return height, width
    short = max(MIN_SIDE, round(shorter * shrink))
    long = min(longer, MOST_LONGER_SIDE, round(longer * shrink / _STEP) * _STEP)
    return (short, long) if height <= width else (long, short)
