"""Each of DRAEM's ten augmenters against another library or a closed form, on grey and RGB."""

import colorsys
from collections import Counter

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from synthgen.images.pixels import Pixels
from synthgen.streams import Stream
from synthgen.synthesizers.common.augmenters import Augmentation, Toned, draw_augmentations
from tests.synthesizers.scenes import cloudy, frozen

NAMES = [
    "gamma",
    "brightness",
    "sharpness",
    "hue_saturation",
    "solarize",
    "posterize",
    "invert",
    "autocontrast",
    "equalize",
    "rotate",
]

both = pytest.mark.parametrize("channels", [1, 3])


def picture(channels: int) -> Pixels:
    """Soft spots over a ramp, so that every level occurs, of 40 % of the contrast in the last channel."""
    ramp = np.linspace(-60, 60, 80)[:, None, None]
    pixels = np.clip(cloudy((80, 96, channels), 5).astype(float) + ramp, 0, 255)
    pixels[..., -1] = 90 + 0.4 * (pixels[..., -1] - 90)
    return frozen(pixels.astype(np.uint8))


def pillow(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def finished(toned: Toned, like: Pixels) -> Pixels:
    height, width, channels = like.shape
    pixels = toned.at(np.arange(height * width))
    assert pixels.shape == (height * width, channels)
    assert pixels.dtype == np.uint8
    return pixels.reshape(like.shape)


def augmented(name: str, values: list[float], pixels: Pixels) -> Pixels:
    toned = Toned(pixels)
    toned.augment(Augmentation(name=name, values=values))
    return finished(toned, pixels)


def assert_close(found: Pixels, wanted: Image.Image | np.ndarray, tolerance: float) -> None:
    difference = np.abs(found.astype(float) - np.asarray(wanted, float).reshape(found.shape))
    assert difference.max() <= tolerance, difference.max()


@both
def test_invert(channels: int) -> None:
    pixels = picture(channels)
    assert_close(augmented("invert", [], pixels), ImageOps.invert(pillow(pixels)), 0)


@both
@pytest.mark.parametrize("bits", range(1, 9))
def test_posterize(bits: int, channels: int) -> None:
    pixels = picture(channels)
    assert_close(augmented("posterize", [float(bits)], pixels), ImageOps.posterize(pillow(pixels), bits), 0)


@both
@pytest.mark.parametrize("threshold", [32, 100, 128, 256])
def test_solarize(threshold: int, channels: int) -> None:
    pixels = picture(channels)
    found = augmented("solarize", [float(threshold)], pixels)
    assert_close(found, ImageOps.solarize(pillow(pixels), threshold), 0)


@both
@pytest.mark.parametrize("cutoff", [0, 1, 7, 20])
def test_autocontrast(cutoff: int, channels: int) -> None:
    pixels = picture(channels)
    # Pillow cuts the fraction off where this rounds.
    found = augmented("autocontrast", [float(cutoff)], pixels)
    assert_close(found, ImageOps.autocontrast(pillow(pixels), cutoff=cutoff), 1)
    assert np.abs(found.astype(int) - pixels).max() > 10


@both
def test_equalize(channels: int) -> None:
    pixels = picture(channels)
    found = augmented("equalize", [], pixels)
    by_channel = [cv2.equalizeHist(np.ascontiguousarray(pixels[..., channel])) for channel in range(channels)]
    assert_close(found, np.stack(by_channel, axis=-1), 1)


@pytest.mark.parametrize("name", ["equalize", "autocontrast"])
@both
def test_one_level_stays_as_it_is(channels: int, name: str) -> None:
    flat = np.full((20, 20, channels), 77, np.uint8)
    assert_close(augmented(name, [0.0], flat), flat, 0)


@both
@pytest.mark.parametrize("factor", [0.1, 1.0, 1.9])
def test_sharpness(factor: float, channels: int) -> None:
    pixels = picture(channels)
    found = augmented("sharpness", [factor], pixels)
    wanted = np.asarray(ImageEnhance.Sharpness(pillow(pixels)).enhance(factor)).reshape(found.shape)
    # Pillow leaves the outermost pixels as they are.
    assert_close(found[1:-1, 1:-1], wanted[1:-1, 1:-1], 1)
    assert factor == 1 or (found != pixels).mean() > 0.3


@both
@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.7])
def test_gamma(exponent: float, channels: int) -> None:
    from skimage.exposure import adjust_gamma

    pixels = picture(channels)
    exponents = [exponent, 0.8, 1.2][:channels]
    found = augmented("gamma", exponents, pixels)
    for channel, each in enumerate(exponents):
        assert_close(found[..., channel], adjust_gamma(pixels[..., channel] / 255, each) * 255, 0.501)


@both
@pytest.mark.parametrize("values", [[0.8, -30.0], [1.2, 30.0], [1.0, 0.0]])
def test_brightness(values: list[float], channels: int) -> None:
    pixels = picture(channels)
    wanted = np.clip(pixels * values[0] + values[1], 0, 255)
    assert_close(augmented("brightness", values, pixels), wanted, 0.501)


@pytest.mark.parametrize("values", [[0.0, 0.0], [50.0, 0.0], [-50.0, 20.0], [30.0, -50.0]])
def test_hue_and_saturation(values: list[float]) -> None:
    pixels = picture(3)
    found = augmented("hue_saturation", values, pixels)
    wanted = np.empty(pixels.shape)
    for row, column in np.ndindex(pixels.shape[:2]):
        hue, saturation, value = colorsys.rgb_to_hsv(*(pixels[row, column] / 255))
        moved = (hue + values[0] / 256) % 1, min(max(saturation + values[1] / 255, 0), 1), value
        wanted[row, column] = np.multiply(colorsys.hsv_to_rgb(*moved), 255)
    # Hue and saturation are rounded to 256 steps, of which a hue's is up to 6 levels wide; and a grey pixel,
    # which has no hue, must not be judged by the one that it would be given.
    coloured = np.ptp(pixels.astype(int), axis=2) > 3
    difference = np.abs(found - wanted)[coloured]
    assert difference.max() <= 6
    assert difference.mean() <= 1
    assert abs((found - wanted)[coloured].mean()) <= 0.1


def test_grey_pixels_have_no_hue_and_saturation() -> None:
    pixels = picture(1)
    assert_close(augmented("hue_saturation", [50.0, -50.0], pixels), pixels, 0)


@both
@pytest.mark.parametrize("degrees", [-45.0, 17.0, 45.0])
def test_rotate_is_counter_clockwise_about_the_centre(degrees: float, channels: int) -> None:
    pixels = frozen(np.maximum(cloudy((80, 96, channels), 5, sigma=4), 40))
    found = augmented("rotate", [degrees], pixels)
    wanted = np.asarray(pillow(pixels).rotate(degrees, Image.Resampling.BILINEAR)).reshape(found.shape)
    middle = slice(25, 55), slice(33, 63)
    assert_close(found[middle], wanted[middle], 4)
    assert np.abs(found[middle].astype(int) - wanted[middle]).mean() < 1
    # No black corners: what comes from beyond the border is mirrored.
    assert found.min() >= 40


@both
def test_augmenters_one_after_another_do_what_each_does_alone(channels: int) -> None:
    """Tables of levels are joined and applied late; histograms are taken through them."""
    for index in range(30):
        toned, alone = Toned(picture(channels)), picture(channels)
        for augmentation in draw_augmentations(Stream(2, index, "test"), 10, channels):
            toned.augment(augmentation)
            alone = augmented(augmentation.name, augmentation.values, alone)
            assert_close(finished(toned, alone), alone, 0)


@both
def test_pixels_are_read_where_they_are_asked_for(channels: int) -> None:
    pixels = picture(channels)
    toned = Toned(pixels)
    toned.augment(Augmentation(name="invert", values=[]))
    positions = np.array([0, 5, 96, 96 * 80 - 1])
    assert np.array_equal(toned.at(positions), 255 - pixels[[0, 0, 1, 79], [0, 5, 0, 95]])


@both
def test_drawn_augmenters_are_different_and_all_are_used(channels: int) -> None:
    counts: Counter[str] = Counter()
    for index in range(1000):
        names = [
            augmentation.name for augmentation in draw_augmentations(Stream(0, index, "test"), 3, channels)
        ]
        assert len(set(names)) == 3
        counts.update(names)
    assert sorted(counts) == sorted(NAMES)
    # 300 each; four standard errors.
    assert all(abs(count - 300) < 58 for count in counts.values())
    everything = draw_augmentations(Stream(0, 0, "test"), 10, channels)
    assert sorted(augmentation.name for augmentation in everything) == sorted(NAMES)
    assert draw_augmentations(Stream(0, 0, "test"), 0, channels) == []


# Lowest, highest, whole numbers only.
RANGES: dict[str, list[tuple[float, float, bool]]] = {
    "brightness": [(0.8, 1.2, False), (-30, 30, True)],
    "sharpness": [(0.1, 1.9, False)],
    "hue_saturation": [(-50, 50, True), (-50, 50, True)],
    "posterize": [(1, 8, True)],
    "autocontrast": [(0, 20, True)],
    "rotate": [(-45, 45, False)],
    "invert": [],
    "equalize": [],
}


@both
def test_the_drawn_numbers_fill_their_ranges(channels: int) -> None:
    drawn: dict[str, list[list[float]]] = {name: [] for name in NAMES}
    for index in range(800):
        for augmentation in draw_augmentations(Stream(1, index, "test"), 10, channels):
            drawn[augmentation.name].append(augmentation.values)
    for name, ranges in {**RANGES, "gamma": [(0.5, 2.0, False)] * channels}.items():
        for values, (low, high, whole) in zip(zip(*drawn[name], strict=True), ranges, strict=True):
            margin = 0 if whole else 0.02 * (high - low)
            assert low <= min(values) <= low + margin
            assert high - margin <= max(values) <= high
            assert not whole or all(value.is_integer() for value in values)
    thresholds = [threshold for (threshold,) in drawn["solarize"]]
    solarized = [threshold for threshold in thresholds if threshold != 256]
    assert (min(solarized), max(solarized)) == (32, 128)
    # Half of 800; four standard errors.
    assert abs(len(solarized) - 400) < 57
