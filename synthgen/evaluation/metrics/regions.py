"""Overlap with the anomalous regions of a mask, and with the anomalous pixels of an image."""

from math import ceil
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.errors import InputError
from synthgen.evaluation.metrics.pixels import LabelledMaps
from synthgen.evaluation.metrics.ranking import Ranking, Scores
from synthgen.images.pixels import Mask

AUPIMO_BOUNDS = (1e-5, 1e-4)
"""The paper's bounds of the false-positive rate on normal images."""

Floats = npt.NDArray[np.float64]


def region_shares(mask: Mask) -> tuple[int, Floats]:
    """Number of 8-connected regions, and each anomalous pixel's share of its region: in ``mask``'s order."""
    count, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    regions = labels[mask]
    return count - 1, 1 / np.bincount(regions, minlength=count)[regions]


def aupro(labelled: LabelledMaps, ranking: Ranking, limit: float) -> float:
    """Area under the per-region overlap up to the false-positive rate ``limit``, divided by it: 0 … 1.

    Bergmann et al., IJCV 2021: the mean over all regions of the share of their pixels that is found, against
    the share of all normal pixels that is called anomalous. Exact: every distinct score is a threshold, and
    the curve is interpolated between two of them and at the limit. ``ranking`` is that of the same pixels.

    The curve is a sum over anomalous pixels: each adds its share of its region, linearly while the
    false-positive rate grows from that of the normal pixels above it to that of those at least as high.
    """
    total, region_count = 0.0, 0
    for scores, mask in labelled:
        regions, shares = region_shares(mask)
        region_count += regions
        total += float(shares @ _area_right_of(scores[mask], ranking.normal, limit))
    return total / (region_count * limit)


def _area_right_of(scores: Scores, normal: Scores, limit: float) -> Floats:
    """Area up to the limit under the step, or ramp, at each score's false-positive rate."""
    order = np.argsort(scores)  # neighbours in the ranking are looked up together
    below, up_to = (np.empty(len(scores)) for _ in range(2))
    below[order] = np.searchsorted(normal, scores[order], "left")
    up_to[order] = np.searchsorted(normal, scores[order], "right")
    start, end = 1 - up_to / len(normal), 1 - below / len(normal)
    ramp = np.zeros_like(start)
    np.divide(
        np.clip(np.minimum(end, limit) - start, 0, None) ** 2, 2 * (end - start), out=ramp, where=end > start
    )
    return ramp + np.clip(limit - end, 0, None)


def aupimo(labelled: LabelledMaps, bounds: tuple[float, float] = AUPIMO_BOUNDS) -> Floats:
    """Area under the per-image overlap curve of each image that has anomalous pixels: (A,), in 0 … 1.

    Bertoldo et al., arXiv 2401.01984: the share of the image's anomalous pixels that is found, averaged over
    the logarithm of the false-positive rate between the bounds; that rate is the mean over the normal images
    of the share of their pixels that is called anomalous. Exact: every score is a threshold; between two
    thresholds the curve is a step. Below one pixel of the normal images a rate cannot be resolved: it counts
    as the rate 0. Raises InputError where no image is normal, or none is anomalous.
    """
    anomalous = labelled.anomalous()
    if anomalous.all() or not anomalous.any():
        present, absent = ("anomalous", "normal") if anomalous.any() else ("normal", "anomalous")
        raise InputError(
            f"all {len(labelled)} images are {present}; AUPIMO needs at least one {absent} image"
        )
    low, high = bounds
    highest, rates = _shared_false_positive_rates(labelled, int((~anomalous).sum()), high)
    values = []
    for scores, mask in labelled:
        if mask.any():
            # The pixel is found at every rate from that of its own score on.
            at_least = np.searchsorted(highest, scores[mask], "left")
            rate = np.clip(rates[at_least], low, high)
            values.append(float((np.log(high / rate) / np.log(high / low)).mean()))
    return np.array(values)


def _shared_false_positive_rates(
    labelled: LabelledMaps, normal_images: int, high: float
) -> tuple[Scores, Floats]:
    """The highest scores of normal images, ascending (K,); the mean rate at each and above all (K + 1,).

    Of an image of which more than ``normal_images * high`` is called anomalous the mean alone exceeds
    ``high``, so that no more of its scores are needed.
    """
    highest: list[npt.NDArray[Any]] = []
    weights: list[Floats] = []
    for scores, mask in labelled:
        if mask.any():
            continue
        kept = min(ceil(normal_images * high * scores.size) + 1, scores.size)
        highest.append(np.partition(scores, scores.size - kept, axis=None)[scores.size - kept :])
        weights.append(np.full(kept, 1 / (normal_images * scores.size)))
    together, weight = np.concatenate(highest), np.concatenate(weights)
    order = np.argsort(together)
    rates = np.append(np.cumsum(weight[order][::-1])[::-1], 0.0)
    return together[order], rates
