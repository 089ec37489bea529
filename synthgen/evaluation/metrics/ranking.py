"""Exact metrics of how well scores put anomalous items (images or pixels) above normal ones.

An item is called anomalous at a threshold where its score is at least the threshold. Only the scores of
anomalous items need to be looked at as thresholds: between two of them precision, F1 and recall have no
better point.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from synthgen.errors import InputError

Scores = npt.NDArray[np.floating[Any]]
Counts = npt.NDArray[np.int64]

CHUNK = 2**20
"""Anomalous items looked at together, to bound the memory for their counts."""


class Ranking(NamedTuple):
    """The scores of anomalous and of normal items, finite, of one dtype, each ascending and not empty."""

    anomalous: Scores
    normal: Scores


class OracleF1(NamedTuple):
    """The best F1, and the threshold (a score) that reaches it; chosen with the labels, hence an oracle's."""

    value: float
    threshold: float


def rank_images(scores: Scores, anomalous: npt.NDArray[np.bool_]) -> Ranking:
    """Rank images by scores (N,), float, where ``anomalous`` (N,) says which ones are.

    Raises InputError for scores that are not finite or not as many as labels, and where either class is
    absent.
    """
    if scores.shape != anomalous.shape or scores.ndim != 1:
        raise InputError(
            f"{scores.shape} scores for {anomalous.shape} labels; one score for each image is expected"
        )
    if not np.isfinite(scores).all():
        raise InputError(
            f"image {np.flatnonzero(~np.isfinite(scores))[0]} has a score that is NaN or infinite"
        )
    if anomalous.all() or not anomalous.any():
        present, absent = ("anomalous", "normal") if anomalous.any() else ("normal", "anomalous")
        raise InputError(f"all {len(scores)} images are {present}; metrics need at least one {absent} image")
    return Ranking(np.sort(scores[anomalous]), np.sort(scores[~anomalous]))


def auroc(ranking: Ranking) -> float:
    """Area under the ROC curve: how often an anomalous item scores higher than a normal one, ties by half."""
    normal_wins = 0
    for counts in _at_anomalous_scores(ranking):
        normal_wins += int(counts.normal_at_least.sum() + counts.normal_above.sum())
    return 1 - normal_wins / (2 * len(ranking.anomalous) * len(ranking.normal))


def average_precision(ranking: Ranking) -> float:
    """Mean over the anomalous items of the precision at their scores: the step-wise area, no trapezoid."""
    total = 0.0
    for counts in _at_anomalous_scores(ranking):
        total += float(
            (counts.anomalous_at_least / (counts.anomalous_at_least + counts.normal_at_least)).sum()
        )
    return total / len(ranking.anomalous)


def oracle_f1(ranking: Ranking) -> OracleF1:
    """The best F1 over all thresholds, which only somebody who knows the labels could choose."""
    best = OracleF1(0.0, 0.0)
    for counts in _at_anomalous_scores(ranking):
        called = counts.anomalous_at_least + counts.normal_at_least
        f1 = 2 * counts.anomalous_at_least / (len(ranking.anomalous) + called)
        position = int(f1.argmax())
        best = max(best, OracleF1(float(f1[position]), float(counts.scores[position])))
    return best


def tpr_at_fpr(ranking: Ranking, limit: float) -> float:
    """The highest true-positive rate of thresholds with a false-positive rate of at most ``limit``."""
    normal_count = len(ranking.normal)
    allowed = int(limit * normal_count)
    if allowed < normal_count and (allowed + 1) / normal_count <= limit:  # the product was rounded down
        allowed += 1
    if allowed == normal_count:
        return 1.0
    highest_forbidden = ranking.normal[normal_count - 1 - allowed]
    missed = int(np.searchsorted(ranking.anomalous, highest_forbidden, "right"))
    return 1 - missed / len(ranking.anomalous)


class _CountsAtScores(NamedTuple):
    """Items around the scores of some anomalous ones: all (M,)."""

    scores: Scores
    anomalous_at_least: Counts
    normal_at_least: Counts
    normal_above: Counts


def _at_anomalous_scores(ranking: Ranking) -> Iterator[_CountsAtScores]:
    anomalous, normal = ranking
    for start in range(0, len(anomalous), CHUNK):
        scores = anomalous[start : start + CHUNK]
        yield _CountsAtScores(
            scores,
            len(anomalous) - np.searchsorted(anomalous, scores, "left"),
            len(normal) - np.searchsorted(normal, scores, "left"),
            len(normal) - np.searchsorted(normal, scores, "right"),
        )
