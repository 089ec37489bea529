"""The CIE 1976 colour difference of many pixels, by tables."""

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.images.pixels import Pixels

STEPS = 2**16 - 1
"""Steps of the cube root's table: its error stays below 0.01 of a unit of L*."""

LINEAR_RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""sRGB primaries, white point D65 (IEC 61966-2-1)."""

ROOTS_TO_LAB = np.array([[0, 116, 0], [500, -500, 0], [0, 200, -200]], np.float32)
"""From differences of f(X), f(Y), f(Z) to those of L*, a*, b* (CIE 15)."""


def lab_difference(before: Pixels, after: Pixels) -> float:
    """Mean CIE 1976 colour difference of two lists of sRGB or grey pixels, each (N, C) uint8, C = 1 or 3."""
    tables = _tables()
    if before.shape[1] == 1:
        # Grey has a* = b* = 0, and L* = 116 f(Y) - 16.
        lightness = 116 * np.abs(tables.grey_root.take(before) - tables.grey_root.take(after))
        return float(lightness.mean(dtype=np.float64))
    difference = _roots(before, tables)
    difference -= _roots(after, tables)
    lightness, red_green, yellow_blue = cv2.split(cv2.transform(difference, ROOTS_TO_LAB))
    squared = lightness * lightness
    squared += red_green * red_green
    squared += yellow_blue * yellow_blue
    return float(np.sqrt(squared).mean(dtype=np.float64))


class _Tables(NamedTuple):
    linear: npt.NDArray[np.float32]
    """Linear light of each level."""
    to_steps: npt.NDArray[np.float32]
    """Linear RGB to X, Y and Z relative to white, in steps, and half a step to round."""
    root: npt.NDArray[np.float32]
    """The CIE function f at each step."""
    grey_root: npt.NDArray[np.float32]
    """f(Y) of each grey level."""


def _roots(pixels: Pixels, tables: _Tables) -> npt.NDArray[np.float32]:
    """f(X / Xn), f(Y / Yn) and f(Z / Zn): (1, N, 3)."""
    steps = cv2.transform(cv2.LUT(pixels[None], tables.linear), tables.to_steps)
    return tables.root.take(steps.astype(np.intp))


@cache
def _tables() -> _Tables:
    level = np.arange(256) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    matrix = LINEAR_RGB_TO_XYZ / LINEAR_RGB_TO_XYZ.sum(axis=1, keepdims=True) * STEPS
    to_steps = np.column_stack([matrix, np.full(3, 0.5)])
    step = np.arange(STEPS + 2) / STEPS
    return _Tables(
        linear.astype(np.float32),
        to_steps.astype(np.float32),
        _cie_root(step).astype(np.float32),
        _cie_root(linear).astype(np.float32),
    )


def _cie_root(share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(share > (6 / 29) ** 3, np.cbrt(share), share / (3 * (6 / 29) ** 2) + 4 / 29)
