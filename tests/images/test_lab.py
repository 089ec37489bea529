"""The colour difference against scikit-image's formulas, and against numbers from the standard."""

import numpy as np
import pytest

from synthgen.images.lab import lab_difference
from synthgen.images.pixels import Pixels


def by_formula(before: Pixels, after: Pixels) -> float:
    from skimage.color import deltaE_cie76, rgb2lab

    first, second = (rgb2lab(np.broadcast_to(pixels, (len(pixels), 3))) for pixels in (before, after))
    return float(deltaE_cie76(first, second).mean())


def colours(*rows: tuple[int, ...]) -> Pixels:
    return np.array(rows, np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 2, 5000])
def test_random_colours(count: int, channels: int) -> None:
    before, after = np.random.default_rng(count).integers(0, 256, (2, count, channels), dtype=np.uint8)
    assert lab_difference(before, after) == pytest.approx(by_formula(before, after), abs=0.01)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_grey_level_against_its_neighbour(channels: int) -> None:
    # One by one: in a mean, errors of dark pixels, which are the largest, would hide.
    for level in range(255):
        before, after = (np.full((1, channels), value, np.uint8) for value in (level, level + 1))
        assert lab_difference(before, after) == pytest.approx(by_formula(before, after), abs=0.02)


def test_the_darkest_and_brightest_colours_one_by_one() -> None:
    generator = np.random.default_rng(0)
    dark = generator.integers(0, 12, (150, 2, 1, 3), dtype=np.uint8)
    for before, after in [*dark, *(255 - dark)]:
        assert lab_difference(before, after) == pytest.approx(by_formula(before, after), abs=0.1)


def test_dark_colours_come_out_neither_lighter_nor_darker() -> None:
    black = colours((0, 0, 0))
    errors = []
    for red, green, blue in np.ndindex(6, 6, 6):
        colour = colours((red, green, blue))
        errors.append(lab_difference(black, colour) - by_formula(black, colour))
    assert abs(np.mean(errors)) < 0.0015


def test_known_differences() -> None:
    black, white = colours((0, 0, 0)), colours((255, 255, 255))
    assert lab_difference(black, white) == pytest.approx(100, abs=1e-3)
    assert lab_difference(black[:, :1], white[:, :1]) == pytest.approx(100, abs=1e-3)
    # sRGB red is L* 53.24, a* 80.09, b* 67.20 (D65).
    red = np.linalg.norm([53.24, 80.09, 67.20])
    assert lab_difference(black, colours((255, 0, 0))) == pytest.approx(red, abs=0.02)


def test_no_change_is_no_difference() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (100, 3), dtype=np.uint8)
    assert lab_difference(pixels, pixels) == 0


def test_grey_pixels_are_the_same_colour_in_three_channels() -> None:
    before, after = np.random.default_rng(2).integers(0, 256, (2, 300, 1), dtype=np.uint8)
    as_colour = lab_difference(before.repeat(3, axis=1), after.repeat(3, axis=1))
    assert lab_difference(before, after) == pytest.approx(as_colour, abs=0.01)
