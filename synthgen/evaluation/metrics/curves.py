"""Counts of every image at common thresholds: curves of at most 2,048 points, and fast resampling."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from synthgen.evaluation.metrics.pixels import LabelledMaps
from synthgen.evaluation.metrics.ranking import Ranking, Scores
from synthgen.evaluation.metrics.regions import region_shares

THRESHOLDS = 2048
"""At most this many; half of them are quantiles of the anomalous pixels' scores, half of the normal ones'."""

Floats = npt.NDArray[np.float64]


class ImageCounts(NamedTuple):
    """What each of N images adds at each of T descending thresholds.

    The last threshold calls everything anomalous. Kept in float32: the counts of 10,000 images are 250 MB,
    and their rounding is below 1e-6.
    """

    thresholds: Scores
    anomalous: npt.NDArray[np.float32]
    """Anomalous pixels with at least this score, (N, T)."""
    normal: npt.NDArray[np.float32]
    """Normal pixels with at least this score, (N, T)."""
    overlap: npt.NDArray[np.float32]
    """Sum over the image's regions of the share of their pixels with at least this score, (N, T)."""


class Curves(NamedTuple):
    """Rates at each threshold, ascending from 0 to 1: all (T + 1,) float64."""

    thresholds: Floats
    """Descending from infinity, at which nothing is called anomalous."""
    false_positive_rate: Floats
    true_positive_rate: Floats
    """Also called recall."""
    precision: Floats
    """1 where nothing is called anomalous."""
    region_overlap: Floats
    """Mean over the regions of the share of their pixels that is found."""


def count_images(labelled: LabelledMaps, ranking: Ranking) -> ImageCounts:
    """Count each image's pixels at common thresholds; ``ranking`` is that of the same pixels."""
    thresholds = np.unique(np.concatenate([_quantiles(ranking.anomalous), _quantiles(ranking.normal)]))
    counts = ImageCounts(
        thresholds[::-1], *(np.zeros((len(labelled), len(thresholds)), np.float32) for _ in range(3))
    )
    for position, (scores, mask) in enumerate(labelled):
        counts.normal[position] = _at_least(np.sort(scores[~mask]), counts.thresholds)
        if mask.any():
            order = np.argsort(scores[mask])
            found = _at_least(scores[mask][order], counts.thresholds)
            shares = region_shares(mask)[1][order]
            counts.anomalous[position] = found
            counts.overlap[position] = np.append(np.cumsum(shares[::-1])[::-1], 0)[len(order) - found]
    return counts


def curves(counts: ImageCounts, times: npt.NDArray[np.int64]) -> Curves:
    """The curves of all images together, where image i is taken ``times[i]`` times (N,)."""
    weights = times.astype(np.float32)
    anomalous, normal, overlap = (
        np.append(0.0, (weights @ part).astype(np.float64))
        for part in (counts.anomalous, counts.normal, counts.overlap)
    )
    called = anomalous + normal
    precision = np.divide(anomalous, called, out=np.ones_like(called), where=called > 0)
    return Curves(
        np.append(np.inf, counts.thresholds),
        normal / normal[-1],
        anomalous / anomalous[-1],
        precision,
        overlap / overlap[-1],
    )


def binned_auroc(curve: Curves) -> float:
    """Area under the ROC curve by the trapezoid."""
    return float(np.trapezoid(curve.true_positive_rate, curve.false_positive_rate))


def binned_average_precision(curve: Curves) -> float:
    """Step-wise area under the precision-recall curve."""
    return float(curve.precision[1:] @ np.diff(curve.true_positive_rate))


def binned_oracle_f1(curve: Curves) -> float:
    """The best F1 of the thresholds."""
    precision, recall = curve.precision[1:], curve.true_positive_rate[1:]
    return float((2 * precision * recall / np.maximum(precision + recall, np.finfo(np.float64).tiny)).max())


def binned_tpr_at_fpr(curve: Curves, limit: float) -> float:
    """The true-positive rate where the false-positive rate is ``limit``, interpolated."""
    return float(np.interp(limit, curve.false_positive_rate, curve.true_positive_rate))


def binned_aupro(curve: Curves, limit: float) -> float:
    """Area under the per-region overlap up to ``limit``, interpolated there, divided by it."""
    inside = curve.false_positive_rate < limit
    rates = np.append(curve.false_positive_rate[inside], limit)
    end = np.interp(limit, curve.false_positive_rate, curve.region_overlap)
    return float(np.trapezoid(np.append(curve.region_overlap[inside], end), rates)) / limit


def _quantiles(ascending: Scores) -> Scores:
    positions = np.linspace(0, len(ascending) - 1, min(THRESHOLDS // 2, len(ascending)))
    return ascending[positions.astype(np.int64)]


def _at_least(ascending: Scores, thresholds: Scores) -> npt.NDArray[np.int64]:
    return len(ascending) - np.searchsorted(ascending, thresholds, "left")
