"""What another sample of test images would have changed: image outcomes on images drawn anew."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from synthgen.evaluation.metrics.bootstrap import Times
from synthgen.evaluation.metrics.ranking import Scores, auroc, rank_images
from synthgen.streams import Stream

RESAMPLES = 2000
CHUNK = 2**20
"""Counts, resamples times images, looked at together, to bound the memory for them."""

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def cluster_times(clusters: Sequence[str], anomalous: Flags, stream: Stream) -> Times:
    """How often each of N images is taken in each resample: (RESAMPLES, N).

    Whole clusters, such as all images of one part, are drawn with replacement (Efron and Tibshirani, 1993,
    chapter 8): images of one part resemble each other and tell less than as many of different parts. Clusters
    with an anomalous image (``anomalous``: (N,)) and those without are drawn apart, so that each resample has
    as many of either as the test set. Every resample holds normal images if the test set does: one in which
    only mixed clusters could bring them, and none does, is drawn again.

    Equal streams give equal resamples. All rows of a validation share them, which makes differences paired.
    """
    # A stream draws one number at a time; these are half a million.
    generator = np.random.default_rng(stream.integer(0, 2**53 - 1))
    names, cluster_of = np.unique(np.asarray(clusters), return_inverse=True)
    holds_anomalous = np.bincount(cluster_of, weights=anomalous, minlength=len(names)) > 0
    times = _draw(generator, RESAMPLES, holds_anomalous)[:, cluster_of]
    while not anomalous.all() and len(lacking := np.flatnonzero(~times[:, ~anomalous].any(axis=1))):
        times[lacking] = _draw(generator, len(lacking), holds_anomalous)[:, cluster_of]
    return times


def _draw(generator: np.random.Generator, resamples: int, holds_anomalous: Flags) -> Times:
    """How often each of C clusters is taken: (resamples, C)."""
    taken = np.zeros((resamples, len(holds_anomalous)), np.int64)
    for stratum in (np.flatnonzero(holds_anomalous), np.flatnonzero(~holds_anomalous)):
        if size := len(stratum):
            taken[:, stratum] = generator.multinomial(size, np.full(size, 1 / size), resamples)
    return taken


def image_auroc(scores: Scores, anomalous: Flags) -> float:
    """Area under the ROC curve of images with these scores (N,), ties by half.

    Raises InputError for scores that are not finite, and where either class is absent.
    """
    return auroc(rank_images(scores, anomalous))


def resampled_auroc(scores: Scores, anomalous: Flags, times: Times) -> Floats:
    """Image AUROC of each resample, exact, ties by half: (R,).

    ``scores`` and ``anomalous`` are (N,), ``times`` (R, N). Raises ValueError where a resample lacks a class:
    for some of the images, such as one defect type, draw resamples of their own instead of taking columns.
    """
    normal_images = np.flatnonzero(~anomalous)
    normal_images = normal_images[np.argsort(scores[normal_images])]
    ascending = scores[normal_images]
    # In the order of the normal images, those below each anomalous image, and those not above it.
    below, up_to = (np.searchsorted(ascending, scores[anomalous], side) for side in ("left", "right"))
    values = np.empty(len(times))
    rows = max(1, CHUNK // len(scores))
    for first in range(0, len(times), rows):
        taken = times[first : first + rows]
        abnormal, normal = taken[:, anomalous], taken[:, normal_images]
        pairs = counted(abnormal) * counted(normal)
        so_far = np.pad(np.cumsum(normal, axis=1), ((0, 0), (1, 0)))
        wins = (abnormal * (so_far[:, below] + so_far[:, up_to])).sum(axis=1)
        values[first : first + rows] = wins / (2 * pairs)
    return values


def resampled_recall(scores: Scores, anomalous: Flags, threshold: float, times: Times) -> Floats:
    """Share of each resample's anomalous images with at least the score ``threshold``: (R,).

    Shapes and errors are those of ``resampled_auroc``.
    """
    taken = times[:, anomalous]
    return taken @ (scores[anomalous] >= threshold) / counted(taken)


def counted(taken: Times) -> Times:
    """Images of one class in each resample, (R,), where ``taken`` (R, n) says how often each is in it.

    Raises ValueError where a resample has none.
    """
    counts = taken.sum(axis=1)
    if not counts.all():
        raise ValueError("a resample lacks normal or anomalous images")
    return counts
