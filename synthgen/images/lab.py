"""The CIE 1976 colour difference of many pixels."""

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.images.pixels import Pixels

_LEVEL = np.arange(256) / 255
_LINEAR = np.where(_LEVEL <= 0.04045, _LEVEL / 12.92, ((_LEVEL + 0.055) / 1.055) ** 2.4).astype(np.float32)
"""Linear light of each level of sRGB (IEC 61966-2-1)."""
_LIGHTNESS = np.where(_LINEAR > (6 / 29) ** 3, 116 * np.cbrt(_LINEAR) - 16, (29 / 3) ** 3 * _LINEAR)
"""L* of each grey level (CIE 15); its a* and b* are 0."""


def lab_difference(before: Pixels, after: Pixels) -> float:
    """Mean CIE 1976 colour difference of two lists of sRGB or grey pixels, each (N, C) uint8, C = 1 or 3."""
    if before.shape[1] == 1:
        return float(np.abs(_LIGHTNESS.take(before) - _LIGHTNESS.take(after)).mean(dtype=np.float64))
    lightness, red_green, yellow_blue = cv2.split(_lab(before) - _lab(after))
    return float(cv2.magnitude(lightness, cv2.magnitude(red_green, yellow_blue)).mean(dtype=np.float64))


def _lab(pixels: Pixels) -> npt.NDArray[np.float32]:
    """L*, a* and b* (white point D65) of (N, 3) pixels as (1, N, 3)."""
    # From linear light: OpenCV's own way from sRGB interpolates a coarse table, which is wrong by up to 0.4.
    return np.asarray(cv2.cvtColor(cv2.LUT(pixels[None], _LINEAR), cv2.COLOR_LRGB2Lab))
