"""All metrics together: the names, the exact values, and intervals that mean something."""

import numpy as np
import pytest

from synthgen.errors import InputError
from synthgen.evaluation.metrics.pixels import LabelledMaps, rank_pixels
from synthgen.evaluation.metrics.ranking import auroc, average_precision, oracle_f1, rank_images, tpr_at_fpr
from synthgen.evaluation.metrics.regions import aupimo, aupro
from synthgen.evaluation.metrics.summary import PIXEL_METRICS, RANKING_METRICS, image_metrics, pixel_metrics
from synthgen.streams import Stream


def stream() -> Stream:
    return Stream(0, 0, "bootstrap")


def test_image_metrics_are_the_exact_ones_with_intervals() -> None:
    generator = np.random.default_rng(0)
    anomalous = np.arange(60) < 25
    scores = generator.normal(size=60) + anomalous
    ranking = rank_images(scores, anomalous)
    found = image_metrics(scores, anomalous, stream())
    assert tuple(found) == RANKING_METRICS
    assert [estimate.value for estimate in found.values()] == [
        auroc(ranking),
        average_precision(ranking),
        oracle_f1(ranking).value,
        tpr_at_fpr(ranking, 0.05),
    ]
    # Hanley and McNeil, 1982: the standard error of an AUROC of 0.76 with 25 and 35 cases is 0.06.
    area = found["auroc"].value
    pairs = (area / (2 - area) - area**2) * 24 + (2 * area**2 / (1 + area) - area**2) * 34
    error = np.sqrt((area * (1 - area) + pairs) / (25 * 35))
    assert (found["auroc"].high - found["auroc"].low) / (2 * 1.96) == pytest.approx(error, rel=0.2)
    assert found == image_metrics(scores, anomalous, stream())


def test_a_perfect_detector_has_an_interval_without_width() -> None:
    anomalous = np.arange(20) < 5
    assert all(
        estimate == (1, 1, 1) for estimate in image_metrics(anomalous * 1.0, anomalous, stream()).values()
    )


def pixels(normal_images: int = 5) -> LabelledMaps:
    generator = np.random.default_rng(1)
    masks = np.zeros((10, 48, 48), np.bool_)
    masks[normal_images:, 10:20, 10:20] = True
    strength = generator.uniform(0, 4, (10, 1, 1))
    return LabelledMaps(list(generator.normal(size=masks.shape) + strength * masks), list(masks))


def test_pixel_metrics_are_the_exact_ones_with_intervals() -> None:
    labelled = pixels()
    ranking = rank_pixels(labelled)
    found = pixel_metrics(labelled, stream())
    assert tuple(found) == PIXEL_METRICS
    values = [estimate.value if estimate else None for estimate in found.values()]
    assert values == [
        auroc(ranking),
        average_precision(ranking),
        oracle_f1(ranking).value,
        tpr_at_fpr(ranking, 0.05),
        aupro(labelled, ranking, 0.3),
        aupro(labelled, ranking, 0.05),
        aupimo(labelled).mean(),
    ]
    for estimate in found.values():
        assert estimate is not None
        assert estimate.low < estimate.value < estimate.high
        # Five images, whose defects are anything from invisible to plain: little is known.
        assert estimate.high - estimate.low > 0.01
    assert found == pixel_metrics(labelled, stream())


def test_intervals_lie_around_the_exact_values(monkeypatch: pytest.MonkeyPatch) -> None:
    # Curves of few points lose more than the width of the interval, of images that differ by chance alone.
    monkeypatch.setattr("synthgen.evaluation.metrics.curves.THRESHOLDS", 64)
    generator = np.random.default_rng(2)
    masks = np.zeros((30, 96, 96), np.bool_)
    masks[6:, 20:32, 20:32] = True
    labelled = LabelledMaps(list(generator.normal(size=masks.shape) + 1.5 * masks), list(masks))
    for estimate in pixel_metrics(labelled, stream()).values():
        assert estimate is not None
        middle, width = (estimate.low + estimate.high) / 2, estimate.high - estimate.low
        assert middle == pytest.approx(estimate.value, abs=0.2 * width)


def test_aupimo_alone_is_missing_where_no_image_is_normal() -> None:
    found = pixel_metrics(pixels(normal_images=0), stream())
    assert [name for name, estimate in found.items() if estimate is None] == ["aupimo"]


def test_nothing_is_measured_without_anomalies() -> None:
    with pytest.raises(InputError, match="metrics need at least one anomalous image"):
        image_metrics(np.zeros(3), np.zeros(3, np.bool_), stream())
    with pytest.raises(InputError, match="pixel metrics need anomalous ones too"):
        pixel_metrics(LabelledMaps([np.zeros((2, 2))], [np.zeros((2, 2))]), stream())
