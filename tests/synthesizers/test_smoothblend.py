"""SmoothBlend's alpha against the paper's Gaussian, pixel by pixel."""

import math

import numpy as np
import pytest

from synthgen.synthesizers.smoothblend import gaussian_alpha

SIZES = [(1, 1), (9, 9), (31, 31), (40, 12), (13, 57), (2, 30)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_gaussian_has_sigma_half_and_is_rescaled_to_reach_0(width: int, height: int) -> None:
    alpha = gaussian_alpha(width, height)
    assert alpha.shape == (height, width)
    assert alpha.dtype == np.uint8
    edge = math.exp(-2)
    for row, column in np.ndindex(height, width):
        # Pixel centres, where the patch reaches from -1 to 1 both ways.
        x, y = (2 * column + 1 - width) / width, (2 * row + 1 - height) / height
        gaussian = math.exp(-(x * x + y * y) / (2 * 0.5**2))
        assert alpha[row, column] == round(255 * max(0.0, (gaussian - edge) / (1 - edge)))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_is_symmetric(width: int, height: int) -> None:
    alpha = gaussian_alpha(width, height)
    assert np.array_equal(alpha, alpha[::-1])
    assert np.array_equal(alpha, alpha[:, ::-1])
    assert np.array_equal(alpha, gaussian_alpha(height, width).T)


@pytest.mark.parametrize("side", [5, 31, 101])
def test_it_is_whole_in_the_middle_and_falls_to_nothing(side: int) -> None:
    alpha = gaussian_alpha(side, side).astype(int)
    assert alpha[side // 2, side // 2] == 255
    across = alpha[side // 2]
    assert (np.diff(across[: side // 2 + 1]) > 0).all() or side > 31
    assert (np.diff(across[: side // 2 + 1]) >= 0).all()
    assert alpha[0, 0] == 0
    # The slope at the edge, 4 e^-2 / (1 - e^-2) per half width, times half a pixel: far from the 34 that the
    # unscaled Gaussian has there.
    assert alpha[0].max() <= 0.626 * 255 / side + 3 * 255 / side**2 + 0.5


def test_the_mask_is_the_ellipse() -> None:
    alpha = gaussian_alpha(121, 61) > 0
    y, x = np.mgrid[0:61, 0:121]
    radius = np.hypot((x - 60) / 60.5, (y - 30) / 30.5)
    assert alpha[radius < 0.985].all()
    assert not alpha[radius > 1].any()
