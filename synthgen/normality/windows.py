"""Windows: what the network sees of an image, so that a large one costs no more than its defect does."""

from dataclasses import dataclass
from itertools import pairwise

import cv2

from synthgen.images.grid import STRIDE
from synthgen.images.pixels import Pixels

SIDE = 256
"""Most pixels of a window's side: what the network sees at a time."""
CONTEXT = 32
"""Pixels around a defect that are seen with it, where the image has them."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom; the last two excluded."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of an image, and the part of it that this window and no other answers for."""

    seen: Box
    own: Box
    """Within ``seen``; like it on the grid of cells."""


def on_grid(pixels: Pixels) -> Pixels:
    """An image (H, W, C) or mask (H, W), continued at its right and lower border to whole cells."""
    height, width = pixels.shape[:2]
    below, right = -height % STRIDE, -width % STRIDE
    if not (below or right):
        return pixels
    repeated = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return repeated.reshape(*repeated.shape[:2], *pixels.shape[2:])


def windows(height: int, width: int, box: Box) -> list[Window]:
    """The windows that see a box, with some of what is around it.

    ``height`` and ``width`` are the image's, in pixels, of whole cells; the box lies within it and need not
    be on the grid. Together the windows' own parts cover the box, and no pixel is in two of them.
    """
    left, top, right, bottom = box
    return [
        Window((x, y, x_end, y_end), (own_left, own_top, own_right, own_bottom))
        for (y, y_end), (own_top, own_bottom) in _along(height, top, bottom)
        for (x, x_end), (own_left, own_right) in _along(width, left, right)
    ]


def _along(length: int, low: int, high: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Along one side: what each window sees, and what it answers for."""
    side = min(SIDE, length)
    last = length - side
    if high - low <= side - 2 * STRIDE or side == length:
        starts = [_within((low + high - side) // 2, last)]
    else:
        first, step = _within(low - CONTEXT, last), side - 2 * CONTEXT
        starts = [first]
        while starts[-1] + side < min(high + CONTEXT, length):
            starts.append(_within(starts[-1] + step, last))
    borders = [
        0,
        *((left + side + right) // 2 // STRIDE * STRIDE for left, right in pairwise(starts)),
        length,
    ]
    return [
        ((start, start + side), (max(start, own_low), min(start + side, own_high)))
        for start, (own_low, own_high) in zip(starts, pairwise(borders), strict=True)
    ]


def _within(start: int, last: int) -> int:
    return min(max(start, 0), last) // STRIDE * STRIDE
