"""Colour jitter against closed forms and colorsys."""

import colorsys

import numpy as np
import pytest

from synthgen.streams import Stream
from synthgen.synthesizers.common.jitter import Jitter, to_levels
from tests.synthesizers.scenes import cloudy

both = pytest.mark.parametrize("channels", [1, 3])


def jitter(brightness: float = 1, contrast: float = 1, saturation: float = 1, hue: float = 0) -> Jitter:
    return Jitter(brightness=brightness, contrast=contrast, saturation=saturation, hue=hue)


@both
def test_no_jitter_changes_nothing(channels: int) -> None:
    pixels = cloudy((20, 30, channels), 1)
    assert np.array_equal(jitter().apply(pixels), pixels)
    assert Jitter.draw(Stream(0, 0, "test"), 0) == jitter()


def test_brightness_and_contrast_of_grey_pixels() -> None:
    pixels = cloudy((20, 30, 1), 1)
    mean = pixels.mean()
    for brightness, contrast in [(0.9, 1), (1.1, 1), (1, 0.9), (1.1, 1.1), (0.9, 0.5)]:
        wanted = (pixels - mean) * brightness * contrast + mean * brightness
        found = jitter(brightness, contrast, saturation=0.5, hue=0.3).apply(pixels)
        assert found.shape == pixels.shape
        assert np.abs(found - np.clip(wanted, 0, 255)).max() <= 0.501


@pytest.mark.parametrize(
    "drawn",
    [
        jitter(brightness=0.9),
        jitter(brightness=1.1, contrast=0.9),
        jitter(saturation=0.9),
        jitter(saturation=1.3),
        jitter(saturation=0),
        jitter(hue=0.1),
        jitter(hue=-0.1),
        jitter(hue=0.5),
        jitter(1.05, 0.95, 1.1, -0.07),
    ],
    ids=str,
)
def test_colours_are_jittered_in_the_order_of_the_fields(drawn: Jitter) -> None:
    pixels = cloudy((24, 24, 3), 2)
    mean = pixels.mean()
    contrasted = (pixels - mean) * drawn.brightness * drawn.contrast + mean * drawn.brightness
    levels = np.rint(np.clip(contrasted, 0, 255)) / 255
    wanted = np.empty(pixels.shape)
    for row, column in np.ndindex(24, 24):
        hue, saturation, value = colorsys.rgb_to_hsv(*levels[row, column])
        moved = (hue + drawn.hue) % 1, min(saturation * drawn.saturation, 1), value
        wanted[row, column] = np.multiply(colorsys.hsv_to_rgb(*moved), 255)
    difference = np.abs(drawn.apply(pixels) - wanted)[np.ptp(pixels.astype(int), axis=2) > 3]
    # Hue and saturation are rounded to 256 steps, of which a hue's is up to 6 levels wide.
    assert difference.max() <= 6
    assert difference.mean() <= 1.1


def test_the_drawn_numbers_fill_their_ranges() -> None:
    drawn = [Jitter.draw(Stream(0, index, "test"), 0.1) for index in range(600)]
    for name, middle in {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0}.items():
        values = [getattr(each, name) for each in drawn]
        assert middle - 0.1 <= min(values) <= middle - 0.098
        assert middle + 0.098 <= max(values) <= middle + 0.1


def test_levels_are_rounded_and_clipped() -> None:
    values = np.array([-3.0, 0.49, 0.51, 254.6, 300.0])
    assert to_levels(values).tolist() == [0, 0, 1, 255, 255]
