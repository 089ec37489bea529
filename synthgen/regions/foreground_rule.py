"""A foreground rule, and how it finds the product in an image: one channel, a threshold, and clean-up."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from pydantic import Field

from synthgen.config.model import FrozenModel
from synthgen.images.pixels import Pixels
from synthgen.regions.background import border_likeness, flattened
from synthgen.scene import ProductType

Channel = Literal["grey", "red", "green", "blue", "saturation", "flattened", "border-likeness"]
_Step = Callable[..., Any]
Length = Annotated[float, Field(ge=0, le=64)]


class Segmentation(FrozenModel):
    """How a product is separated from its background. Lengths are pixels of a 256 x 256 image."""

    channel: Channel = "grey"
    """``flattened`` is grey less the light on the background; ``border-likeness`` is high for the colours of
    the image's border. In a grey image red, green and blue are grey, and saturation is 0."""
    threshold: Literal["otsu", "triangle"] | Annotated[int, Field(ge=0, le=254)] = "otsu"
    """A method, applied to each image, or a level 0-254: bright is above it."""
    side: Literal["bright", "dark"]
    """On which side of the threshold the product lies."""
    close: Length = 0.0
    """Side of the square of a morphological closing; 0 for none."""
    open: Length = 0.0
    """Side of the square of the opening that follows; 0 for none."""
    fill: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Holes up to this share of the piece around them are filled: 0 none, 1 all."""
    smallest: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Pieces smaller than this share of the largest one are dropped."""
    shrink: Length = 0.0
    """How far the edge is drawn in at the end."""


class ForegroundRule(FrozenModel):
    """A rule that finds the product in any image of one category: plain data, stored in the plan."""

    product_type: ProductType
    reason: str = ""
    """How the rule was chosen, in one sentence."""
    segmentation: Segmentation | None = None
    """None where everything is foreground."""


def apply(rule: ForegroundRule, image: Pixels) -> Pixels:
    """The foreground (H, W) uint8, 0 or 255, of an (H, W, C) uint8 image."""
    if rule.segmentation is None:
        return np.full(image.shape[:2], 255, np.uint8)
    return segment(rule.segmentation, channel_of(image, rule.segmentation.channel))


def channel_of(image: Pixels, channel: Channel) -> Pixels:
    """One channel (H, W) uint8 of an (H, W, C) uint8 image."""
    match channel:
        case "border-likeness":
            return border_likeness(image)
        case "flattened":
            return flattened(_grey(image))
        case "grey":
            return _grey(image)
        case "saturation":
            if image.shape[2] == 1:
                return np.zeros(image.shape[:2], np.uint8)
            spread = cv2.subtract(image.max(axis=2), image.min(axis=2))
            return np.asarray(spread)
    return np.ascontiguousarray(image[..., ("red", "green", "blue").index(channel) % image.shape[2]])


def segment(how: Segmentation, channel: Pixels) -> Pixels:
    """The product (H, W) uint8, 0 or 255, in a channel (H, W) uint8."""
    methods = {"otsu": cv2.THRESH_OTSU, "triangle": cv2.THRESH_TRIANGLE}
    level, method = (how.threshold, 0) if isinstance(how.threshold, int) else (0, methods[how.threshold])
    direction = cv2.THRESH_BINARY if how.side == "bright" else cv2.THRESH_BINARY_INV
    mask = cv2.threshold(channel, level, 255, direction | method)[1]

    scale = min(channel.shape) / 256
    mask = _open(_close(mask, how.close * scale), how.open * scale)
    if how.fill > 0 or how.smallest > 0:
        mask = _pieces(mask, how)
    if how.shrink > 0:
        reach = max(1, round(how.shrink * scale))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        mask = cv2.erode(mask, disc)
    return np.asarray(mask)


def _grey(image: Pixels) -> Pixels:
    return (
        image[..., 0].copy() if image.shape[2] == 1 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    )


def _close(mask: Pixels, side: float) -> Pixels:
    return _twice(mask, side, cv2.dilate, cv2.erode)


def _open(mask: Pixels, side: float) -> Pixels:
    return _twice(mask, side, cv2.erode, cv2.dilate)


def _twice(mask: Pixels, side: float, first: _Step, second: _Step) -> Pixels:
    size = round(side)
    if size < 2:
        return mask
    square = np.ones((size, size), np.uint8)
    there, back = size // 2, size - 1 - size // 2
    # Outside the image neither product nor background is known: its border is continued. The second step
    # mirrors the first, or else a square of even side would shift the mask.
    padded = cv2.copyMakeBorder(mask, size, size, size, size, cv2.BORDER_REPLICATE)
    done = second(first(padded, square, anchor=(there, there)), square, anchor=(back, back))
    return np.asarray(done[size:-size, size:-size])


def _pieces(mask: Pixels, how: Segmentation) -> Pixels:
    """Drop the small pieces of a mask, and fill the small holes of the others.

    OpenCV can name the piece around each hole, but searches longer for it the more pieces there are, and
    looks at all outlines it is handed to draw one. Labels name it at once, so that a mask of a million specks
    costs a million times what one of them does.
    """
    outlines = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
    if not outlines:
        return mask
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    points = np.array([outline[0, 0] for outline in outlines])
    piece = labels[points[:, 1], points[:, 0]]
    turns = np.array([cv2.contourArea(outline, oriented=True) for outline in outlines])
    areas, is_hole = np.abs(turns), turns > 0  # the outline of a hole runs the other way round
    piece_areas = np.zeros(count)
    piece_areas[piece[~is_hole]] = areas[~is_hole]

    is_kept = piece_areas[piece] >= how.smallest * piece_areas.max()
    is_filled = is_hole & is_kept & (areas <= how.fill * piece_areas[piece])
    cleaned = mask.copy()
    for chosen, level in ((~is_hole & ~is_kept, 0), (is_filled, 255)):
        for index in np.flatnonzero(chosen).tolist():
            cv2.drawContours(cleaned, [outlines[index]], 0, level, cv2.FILLED)
    return np.asarray(cleaned)
