"""The foreground of pictures of which tiles are cut: found on a smaller copy of the whole picture.

A tile alone does not show what is product and what is background, and morphology on tens of megapixels would
take seconds and gigabytes.
"""

import cv2
import numpy as np

from synthgen.images.pixels import Pixels
from synthgen.regions.foreground_rule import ForegroundRule, apply

COPY_SIDE = 1024
"""Most pixels of the shorter side of the copy."""


def smaller_copy(picture: Pixels) -> Pixels:
    """An (H, W, C) picture shrunk so that its shorter side has at most 1024 pixels."""
    height, width, channels = picture.shape
    shrink = COPY_SIDE / min(height, width)
    if shrink >= 1:
        return picture
    size = (round(width * shrink), round(height * shrink))
    copy = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(copy, np.uint8).reshape(size[1], size[0], channels)


def foreground_of(rule: ForegroundRule, picture: Pixels) -> Pixels:
    """The foreground (H, W) uint8, 0 or 255, of an (H, W, C) uint8 picture of any size."""
    height, width = picture.shape[:2]
    if rule.segmentation is None:
        return apply(rule, picture)
    found = cv2.resize(apply(rule, smaller_copy(picture)), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(found >= 128, np.uint8(255), np.uint8(0))
