"""Resampled pixel outcomes against the curves of evaluation, one resample after the other."""

import numpy as np
import pytest

from synthgen.errors import InputError
from synthgen.evaluation.metrics.bootstrap import Times
from synthgen.evaluation.metrics.clusters import cluster_times
from synthgen.evaluation.metrics.curves import binned_aupro, binned_average_precision, count_images, curves
from synthgen.evaluation.metrics.pixels import LabelledMaps, rank_pixels
from synthgen.evaluation.metrics.ranking import average_precision
from synthgen.evaluation.metrics.regions import aupimo, aupro
from synthgen.streams import Stream
from synthgen.validation import pixel_resampling
from synthgen.validation.pixel_resampling import resampled_pixel_outcomes
from tests.evaluation.metrics.maps import random_maps


def draws(labelled: LabelledMaps, count: int) -> Times:
    clusters = [str(image) for image in range(len(labelled))]
    return cluster_times(clusters, labelled.anomalous(), Stream(0, 0, "resampling"))[:count]


def many_pixels() -> LabelledMaps:
    """Five normal and five anomalous images with more scores than curves have points."""
    generator = np.random.default_rng(7)
    masks = generator.random((10, 64, 64)) < np.where(np.arange(10) < 5, 0, 0.02)[:, None, None]
    strengths = generator.uniform(1, 3, (10, 1, 1))
    return LabelledMaps(list(generator.normal(size=masks.shape) + strengths * masks), list(masks))


def test_replicates_are_the_curves_of_evaluation_plus_what_the_points_lose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pixel_resampling, "CHUNK", 2**14)  # 8 resamples at once
    labelled = many_pixels()
    times = draws(labelled, 30)
    found = resampled_pixel_outcomes(labelled, times)

    ranking = rank_pixels(labelled)
    counts = count_images(labelled, ranking)
    whole = curves(counts, np.ones(10, np.int64))
    drawn = [curves(counts, row) for row in times]
    expected = {
        "pixel_ap": (average_precision(ranking), binned_average_precision),
        "aupro": (aupro(labelled, ranking, 0.3), lambda curve: binned_aupro(curve, 0.3)),
    }
    for name, (exact, binned) in expected.items():
        outcome = found[name]  # type: ignore[index]
        assert outcome.value == exact
        slow = [exact + binned(curve) - binned(whole) for curve in drawn]
        assert outcome.replicates == pytest.approx(slow, abs=1e-6)
        assert outcome.replicates.std() > 0.005


@pytest.mark.parametrize("levels", [None, 6])
def test_with_few_scores_replicates_are_the_exact_metrics_of_repeated_images(levels: int | None) -> None:
    for seed in range(3):
        maps, masks = random_maps(seed, count=8, levels=levels)
        labelled = LabelledMaps(maps, masks)
        times = draws(labelled, 20)
        found = resampled_pixel_outcomes(labelled, times)
        for number, row in enumerate(times):
            chosen = np.repeat(np.arange(8), row)
            repeated = LabelledMaps([maps[i] for i in chosen], [masks[i] for i in chosen])
            ranking = rank_pixels(repeated)
            assert found["pixel_ap"].replicates[number] == pytest.approx(average_precision(ranking), abs=1e-5)
            assert found["aupro"].replicates[number] == pytest.approx(aupro(repeated, ranking, 0.3), abs=1e-5)


def test_aupimo_is_the_mean_of_the_anomalous_images_own_values() -> None:
    labelled = many_pixels()
    times = draws(labelled, 30)
    outcome = resampled_pixel_outcomes(labelled, times)["aupimo"]
    own = aupimo(labelled)
    assert outcome.value == own.mean()
    assert outcome.replicates == pytest.approx([own.repeat(row[5:]).mean() for row in times])
    assert outcome.replicates.std() > 0


def test_without_normal_images_or_anomalous_pixels_there_are_no_outcomes() -> None:
    maps, masks = random_maps(0)
    for chosen in (slice(0, 1), slice(1, None)):
        labelled = LabelledMaps(maps[chosen], masks[chosen])
        with pytest.raises(InputError):
            resampled_pixel_outcomes(labelled, np.ones((2, len(labelled)), np.int64))


def test_resamples_without_anomalous_images_are_refused() -> None:
    labelled = LabelledMaps(*random_maps(0))
    times = np.array([[1, 1, 1, 1, 1], [5, 0, 0, 0, 0]])
    with pytest.raises(ValueError, match="lacks normal or anomalous"):
        resampled_pixel_outcomes(labelled, times)
