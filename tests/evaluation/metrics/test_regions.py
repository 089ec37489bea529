"""AUPRO and AUPIMO against their definitions, threshold by threshold, and on maps made by hand."""

from math import log

import numpy as np
import pytest

from synthgen.errors import InputError
from synthgen.evaluation.metrics.pixels import LabelledMaps, Mask, rank_pixels
from synthgen.evaluation.metrics.regions import aupimo, aupro
from tests.evaluation.metrics.maps import Map, labelled, random_maps, regions


def aupro_by_definition(maps: list[Map], masks: list[Mask], limit: float) -> float:
    rates, overlaps = [0.0], [0.0]
    for threshold in sorted({float(score) for scores in maps for score in scores.flat}, reverse=True):
        called = [scores >= threshold for scores in maps]
        normal = [(found & ~mask).sum() for found, mask in zip(called, masks, strict=True)]
        rates.append(sum(normal) / sum((~mask).sum() for mask in masks))
        overlaps.append(
            np.mean(
                [
                    found[region].mean()
                    for found, mask in zip(called, masks, strict=True)
                    for region in regions(mask)
                ]
            )
        )
    end = np.interp(limit, rates, overlaps)
    inside = [(rate, overlap) for rate, overlap in zip(rates, overlaps, strict=True) if rate <= limit]
    x, y = zip(*inside, (limit, end), strict=True)
    return float(np.trapezoid(y, x) / limit)


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("levels", [None, 2, 8])
def test_aupro_is_that_of_its_definition(levels: int | None, limit: float) -> None:
    for seed in range(3):
        maps, masks = random_maps(seed, levels=levels)
        pixels = LabelledMaps(maps, masks)
        expected = aupro_by_definition(maps, masks, limit)
        assert aupro(pixels, rank_pixels(pixels), limit) == pytest.approx(expected, abs=1e-9)


def measured_aupro(pixels: LabelledMaps, limit: float = 0.3) -> float:
    return aupro(pixels, rank_pixels(pixels), limit)


def test_pixels_that_touch_at_corners_are_one_region() -> None:
    # Two regions, of two pixels and of one; before any false positive one pixel of the first is found.
    mask = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    scores = [[9, 1, 1, 1], [1, 0, 1, 1], [1, 1, 1, 0]]
    assert measured_aupro(labelled((scores, mask)), 1e-6) == pytest.approx((0.5 + 0) / 2, abs=1e-6)


def test_regions_count_equally_whatever_their_size() -> None:
    mask = [[1, 1, 1, 1, 0, 1, 0, 0]]
    assert measured_aupro(labelled(([[0, 0, 0, 0, 1, 9, 1, 1]], mask)), 1e-6) == pytest.approx(0.5)
    assert measured_aupro(labelled(([[9, 9, 9, 9, 1, 0, 1, 1]], mask)), 1e-6) == pytest.approx(0.5)


def squares(count: int, size: int = 48, seed: int = 0) -> tuple[list[Map], list[Mask]]:
    """Noise in [0, 1), and masks with two squares; every second image is normal."""
    generator = np.random.default_rng(seed)
    mask = np.zeros((size, size), np.bool_)
    mask[4:12, 4:12] = mask[20:24, 20:40] = True
    maps = list(generator.random((count, size, size), dtype=np.float32))
    return maps, [mask if position % 2 else np.zeros_like(mask) for position in range(count)]


def test_maps_made_by_hand() -> None:
    noise, masks = squares(60)
    perfect = LabelledMaps([noise[i] + masks[i] for i in range(60)], masks)
    inverted = LabelledMaps([noise[i] - masks[i] for i in range(60)], masks)
    constant = LabelledMaps([np.ones_like(scores) for scores in noise], masks)
    white = LabelledMaps(noise, masks)
    assert measured_aupro(perfect) == pytest.approx(1, abs=1e-12)
    assert measured_aupro(inverted) == 0
    # At chance the overlap equals the false-positive rate: its mean up to 0.3 is 0.15.
    assert measured_aupro(constant) == pytest.approx(0.15)
    assert measured_aupro(white) == pytest.approx(0.15, abs=0.01)
    assert aupimo(perfect).tolist() == [1] * 30
    assert aupimo(inverted).tolist() == [0] * 30
    assert aupimo(constant).tolist() == [0] * 30
    # The mean of the rate over its own logarithm is (high - low) / log(high / low).
    assert aupimo(white, (0.01, 0.1)).mean() == pytest.approx(0.09 / log(10), rel=0.2)


def test_a_single_anomalous_pixel_is_a_region() -> None:
    mask = np.zeros((16, 16), np.uint8)
    mask[3, 3] = 1
    scores = np.zeros((16, 16))
    scores[3, 3] = 1
    normal = (np.zeros((16, 16)), np.zeros((16, 16)))
    assert measured_aupro(labelled((scores, mask))) == pytest.approx(1)
    assert aupimo(labelled((scores, mask), normal)).tolist() == [1]
    assert aupimo(labelled((-scores, mask), normal)).tolist() == [0]


def aupimo_by_definition(maps: list[Map], masks: list[Mask], bounds: tuple[float, float]) -> list[float]:
    """Midpoint sums over the logarithm of the rate, of the best overlap within that rate."""
    normal = [scores for scores, mask in zip(maps, masks, strict=True) if not mask.any()]
    thresholds = sorted({float(score) for scores in maps for score in scores.flat}, reverse=True)
    shared = np.array([0.0, *(np.mean([(scores >= t).mean() for scores in normal]) for t in thresholds)])
    steps = 20_000
    rates = np.exp(np.linspace(log(bounds[0]), log(bounds[1]), 2 * steps + 1)[1::2])
    values = []
    for scores, mask in zip(maps, masks, strict=True):
        if mask.any():
            overlap = np.array([0.0, *((scores[mask] >= t).mean() for t in thresholds)])
            values.append(float(overlap[np.searchsorted(shared, rates, "right") - 1].mean()))
    return values


@pytest.mark.parametrize("levels", [None, 8])
@pytest.mark.parametrize("bounds", [(0.02, 0.1), (0.1, 0.9)])
def test_aupimo_is_that_of_its_definition(bounds: tuple[float, float], levels: int | None) -> None:
    for seed in range(4):
        maps, masks = random_maps(seed, levels=levels)
        extra, _ = random_maps(seed + 100, levels=levels)
        maps, masks = [*maps, *extra], [*masks, *(np.zeros(scores.shape, np.bool_) for scores in extra)]
        expected = aupimo_by_definition(maps, masks, bounds)
        assert aupimo(LabelledMaps(maps, masks), bounds) == pytest.approx(expected, abs=1e-3)


def test_aupimo_takes_the_mean_of_the_rates_of_normal_images_of_different_sizes() -> None:
    # One of 4 and none of 12 pixels are as high as the anomalous ones: a rate of (1/4 + 0) / 2, not of 1/16.
    small, large = [[5, 0, 0, 0]], np.zeros((3, 4))
    pixels = labelled((small, np.zeros((1, 4))), (large, large), ([[5, 0]], [[1, 0]]))
    assert aupimo(pixels, (0.1, 0.4))[0] == pytest.approx(log(0.4 / 0.125) / log(4))


@pytest.mark.parametrize(
    ("mask", "present", "absent"), [(0, "normal", "anomalous"), (1, "anomalous", "normal")]
)
def test_aupimo_needs_normal_and_anomalous_images(mask: int, present: str, absent: str) -> None:
    pixels = labelled((np.zeros((2, 2)), [[mask, 0], [0, 0]]))
    with pytest.raises(
        InputError, match=f"all 1 images are {present}; AUPIMO needs at least one {absent} image"
    ):
        aupimo(pixels)
