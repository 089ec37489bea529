"""What another sample of test images would have changed: image outcomes on images drawn anew."""

import numpy as np
import numpy.typing as npt

from synthgen.evaluation.metrics.bootstrap import Times
from synthgen.evaluation.metrics.ranking import Scores, auroc, rank_images

CHUNK = 2**20
"""Counts, resamples times images, looked at together, to bound the memory for them."""

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


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
