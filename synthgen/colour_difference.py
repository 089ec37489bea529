"""The CIE 1976 colour difference of many pixels, by tables."""

from functools import cache

import numpy as np
import numpy.typing as npt

from synthgen.scene import Pixels

STEPS = 2**16 - 1
"""Steps of the cube root's table: its error stays below 0.01 of a unit of L*."""

LINEAR_RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""sRGB primaries, white point D65 (IEC 61966-2-1)."""


def lab_difference(before: Pixels, after: Pixels) -> float:
    """Mean CIE 1976 colour difference of two lists of sRGB or grey pixels, each (N, C) uint8, C = 1 or 3."""
    difference = _lab_roots(before)
    difference -= _lab_roots(after)
    if before.shape[1] == 1:
        # Grey has a* = b* = 0, and L* = 116 f(Y) - 16.
        return float(116 * np.abs(difference).mean(dtype=np.float64))
    x, y, z = difference
    lightness, red_green, yellow_blue = 116 * y, 500 * (x - y), 200 * (y - z)
    squared = lightness * lightness + red_green * red_green + yellow_blue * yellow_blue
    return float(np.sqrt(squared).mean(dtype=np.float64))


def _lab_roots(pixels: Pixels) -> npt.NDArray[np.float32]:
    """f(X / Xn), f(Y / Yn) and f(Z / Zn), (3, N); for grey pixels, where the three are one, (1, N)."""
    linear, matrix, roots = _tables()
    values = linear.take(pixels).T
    if pixels.shape[1] == 1:
        values = values * np.float32(STEPS)
    else:
        values = np.stack([row[0] * values[0] + row[1] * values[1] + row[2] * values[2] for row in matrix])
    return roots.take((values + np.float32(0.5)).astype(np.int32))


@cache
def _tables() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Linear light of each level; linear RGB to steps of X, Y and Z; the CIE function f at each step."""
    level = np.arange(256) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    matrix = LINEAR_RGB_TO_XYZ / LINEAR_RGB_TO_XYZ.sum(axis=1, keepdims=True) * STEPS
    step = np.arange(STEPS + 2) / STEPS
    roots = np.where(step > (6 / 29) ** 3, np.cbrt(step), step / (3 * (6 / 29) ** 2) + 4 / 29)
    return linear.astype(np.float32), matrix.astype(np.float32), roots.astype(np.float32)
