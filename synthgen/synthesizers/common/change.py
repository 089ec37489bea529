"""Where a picture was really changed: the label of methods that cannot know it beforehand."""

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.images.pixels import Pixels

LABEL_CHANGE = 1
"""Mean change over the channels, in grey levels, above which a pixel belongs to the mask."""
LABEL_MEDIAN = 5
"""Side of the median filter that removes specks from the mask, in pixels."""


def changed(before: Pixels, after: Pixels) -> npt.NDArray[np.bool_]:
    """Where the mean change over the channels is above 1 grey level, without specks: (h, w) bool."""
    channels = before.shape[2]
    total = cv2.absdiff(before, after).reshape(before.shape).sum(axis=2, dtype=np.uint16)
    label = np.where(total > LABEL_CHANGE * channels, np.uint8(255), np.uint8(0))
    return cv2.medianBlur(label, LABEL_MEDIAN) > 0
