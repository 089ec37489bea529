"""Curves at common thresholds against the exact metrics."""

import numpy as np
import pytest

from synthgen.evaluation.metrics.curves import (
    THRESHOLDS,
    binned_aupro,
    binned_auroc,
    binned_average_precision,
    binned_oracle_f1,
    binned_tpr_at_fpr,
    count_images,
    curves,
)
from synthgen.evaluation.metrics.pixels import LabelledMaps, rank_pixels
from synthgen.evaluation.metrics.ranking import auroc, average_precision, oracle_f1, tpr_at_fpr
from synthgen.evaluation.metrics.regions import aupro
from tests.evaluation.metrics.maps import random_maps


def binned(pixels: LabelledMaps, times: list[int]) -> list[float]:
    curve = curves(count_images(pixels, rank_pixels(pixels)), np.array(times))
    return [
        binned_auroc(curve),
        binned_average_precision(curve),
        binned_oracle_f1(curve),
        binned_aupro(curve, 0.3),
        binned_aupro(curve, 0.05),
    ]


def exact(pixels: LabelledMaps) -> list[float]:
    ranking = rank_pixels(pixels)
    return [
        auroc(ranking),
        average_precision(ranking),
        oracle_f1(ranking).value,
        aupro(pixels, ranking, 0.3),
        aupro(pixels, ranking, 0.05),
    ]


@pytest.mark.parametrize("levels", [None, 6])
def test_with_few_scores_resampled_images_give_the_exact_metrics(levels: int | None) -> None:
    for seed in range(5):
        maps, masks = random_maps(seed, levels=levels)
        times = [2, 0, 1, 3, 1]
        chosen = np.repeat(np.arange(5), times)
        repeated = LabelledMaps([maps[i] for i in chosen], [masks[i] for i in chosen])
        assert binned(LabelledMaps(maps, masks), times) == pytest.approx(exact(repeated), abs=1e-5)


def many_pixels() -> LabelledMaps:
    generator = np.random.default_rng(7)
    masks = generator.random((6, 128, 128)) < 0.02
    return LabelledMaps(list(generator.normal(size=masks.shape) + 1.5 * masks), list(masks))


def test_with_many_scores_the_metrics_are_close() -> None:
    pixels = many_pixels()
    assert binned(pixels, [1] * 6) == pytest.approx(exact(pixels), abs=1e-3)
    ranking = rank_pixels(pixels)
    curve = curves(count_images(pixels, ranking), np.ones(6, np.int64))
    assert binned_tpr_at_fpr(curve, 0.05) == pytest.approx(tpr_at_fpr(ranking, 0.05), abs=1e-3)


def test_curves_are_bounded_ascending_and_end_where_everything_is_called_anomalous() -> None:
    pixels = many_pixels()
    counts = count_images(pixels, rank_pixels(pixels))
    curve = curves(counts, np.ones(6, np.int64))
    assert counts.normal.shape == (6, len(counts.thresholds))
    assert len(counts.thresholds) <= THRESHOLDS
    for rates in (curve.false_positive_rate, curve.true_positive_rate, curve.region_overlap):
        assert len(rates) == len(curve.thresholds)
        assert (np.diff(rates) >= 0).all()
        assert (rates[0], rates[-1]) == (0, 1)
    assert curve.precision[-1] == pytest.approx(0.02, abs=0.002)
