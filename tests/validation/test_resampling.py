"""Resampled image outcomes against the exact metrics of repeated images."""

import numpy as np
import pytest

from synthgen.errors import InputError
from synthgen.evaluation.metrics.clusters import RESAMPLES, cluster_times
from synthgen.evaluation.metrics.ranking import auroc, rank_images
from synthgen.streams import Stream
from synthgen.validation import resampling
from synthgen.validation.resampling import (
    image_auroc,
    resampled_auroc,
    resampled_recall,
)


def stream(index: int = 0) -> Stream:
    return Stream(1, index, "resampling")


CLUSTERS = ["a", "b", "a", "c", "d", "e", "e", "e", "f", "g"]
ANOMALOUS = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0], np.bool_)


def test_clusters_are_kept_whole() -> None:
    times = cluster_times(CLUSTERS, ANOMALOUS, stream())
    assert times.shape == (RESAMPLES, len(CLUSTERS))
    assert (times[:, 0] == times[:, 2]).all()
    assert (times[:, 5] == times[:, 6]).all() and (times[:, 5] == times[:, 7]).all()


def test_clusters_with_anomalous_images_and_without_are_drawn_apart_with_replacement() -> None:
    times = cluster_times(CLUSTERS, ANOMALOUS, stream())
    # Cluster a holds both kinds: it counts as anomalous, beside b and c.
    assert (times[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert (times[:, [4, 5, 8, 9]].sum(axis=1) == 4).all()
    assert times.mean(axis=0) == pytest.approx(np.ones(10), abs=0.1)
    # A cluster of 3 is drawn binomially: left out in (2/3)^3 of the resamples.
    assert (times[:, 1] == 0).mean() == pytest.approx(8 / 27, abs=0.03)


def test_the_stream_decides_the_draws() -> None:
    times = cluster_times(CLUSTERS, ANOMALOUS, stream())
    assert (times == cluster_times(CLUSTERS, ANOMALOUS, stream())).all()
    assert (times != cluster_times(CLUSTERS, ANOMALOUS, stream(1))).any()


def test_every_resample_has_normal_images_where_only_a_mixed_cluster_brings_them() -> None:
    anomalous = np.array([1, 0, 1, 1], np.bool_)
    times = cluster_times(["mixed", "mixed", "b", "c"], anomalous, stream())
    assert times[:, 1].min() == 1
    assert (times[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_a_test_set_of_one_kind_is_drawn_too() -> None:
    for anomalous in (np.ones(4, np.bool_), np.zeros(4, np.bool_)):
        assert (cluster_times(["a", "b", "c", "d"], anomalous, stream()).sum(axis=1) == 4).all()


@pytest.mark.parametrize("levels", [4, 10**9])
def test_the_resampled_auroc_is_that_of_the_repeated_images(
    levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resampling, "CHUNK", 500)  # 12 resamples at once
    generator = np.random.default_rng(0)
    anomalous = generator.random(40) < 0.4
    scores = np.round((generator.normal(size=40) + anomalous) * levels).astype(np.float32)
    times = cluster_times([str(image // 2) for image in range(40)], anomalous, stream())[:50]
    expected = [auroc(rank_images(scores.repeat(row), anomalous.repeat(row))) for row in times]
    assert resampled_auroc(scores, anomalous, times) == pytest.approx(expected, abs=1e-12)
    assert image_auroc(scores, anomalous) == auroc(rank_images(scores, anomalous))


def test_perfect_scores_are_perfect_in_every_resample_without_rounding() -> None:
    anomalous = np.arange(30) < 7
    times = cluster_times([str(image) for image in range(30)], anomalous, stream())
    assert (resampled_auroc(anomalous + np.zeros(30), anomalous, times) == 1).all()


def test_the_resampled_recall_is_the_share_of_repeated_images_that_is_found() -> None:
    generator = np.random.default_rng(1)
    anomalous = generator.random(30) < 0.5
    scores = np.round(generator.random(30), 1)
    times = cluster_times([str(image // 3) for image in range(30)], anomalous, stream())
    expected = [np.mean(scores.repeat(row)[anomalous.repeat(row)] >= 0.5) for row in times]
    assert (scores == 0.5).any()  # at the threshold is found
    assert resampled_recall(scores, anomalous, 0.5, times) == pytest.approx(expected)


def test_resamples_without_a_class_and_scores_that_are_not_finite_are_refused() -> None:
    scores, anomalous = np.array([0.1, 0.2, 0.3]), np.array([False, True, True])
    for times in ([[0, 1, 2]], [[3, 0, 0]]):
        with pytest.raises(ValueError, match="lacks normal or anomalous"):
            resampled_auroc(scores, anomalous, np.array(times))
    with pytest.raises(ValueError, match="lacks normal or anomalous"):
        resampled_recall(scores, anomalous, 0.5, np.array([[3, 0, 0]]))
    with pytest.raises(InputError, match="NaN"):
        image_auroc(np.array([0.1, np.nan, 0.3]), anomalous)
