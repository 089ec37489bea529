"""What another sample of test images would have changed: pixel outcomes on images drawn anew."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from synthgen.evaluation.metrics.bootstrap import Times
from synthgen.evaluation.metrics.curves import ImageCounts, count_images
from synthgen.evaluation.metrics.pixels import LabelledMaps, rank_pixels
from synthgen.evaluation.metrics.ranking import average_precision
from synthgen.evaluation.metrics.regions import aupimo, aupro
from synthgen.evaluation.metrics.summary import AUPRO_LIMIT
from synthgen.validation.report import Outcome
from synthgen.validation.resampling import counted

CHUNK = 2**20
"""Numbers, resamples times thresholds, looked at together, to bound the memory for them."""

Floats = npt.NDArray[np.float64]


class ResampledValue(NamedTuple):
    """An outcome of one detector on all images, and on those of each resample."""

    value: float
    """Exact."""
    replicates: Floats
    """(R,)"""


def resampled_pixel_outcomes(labelled: LabelledMaps, times: Times) -> dict[Outcome, ResampledValue]:
    """Pixel AP, AUPRO 0.3 and mean AUPIMO, of all N images and of each resample (``times``: (R, N)).

    The replicates of AP and AUPRO come from curves of at most 2,048 points. What the curves lose between
    their points they lose in every resample alike, and it is added. The replicates of AUPIMO are means of the
    anomalous images' own values: its false-positive rates stay those of all normal images.

    Raises InputError where no pixel is anomalous, and where no image is normal; ValueError where a resample
    lacks anomalous images.
    """
    ranking = rank_pixels(labelled)
    taken = times[:, labelled.anomalous()]
    of_each = counted(taken)
    exact = np.array([average_precision(ranking), aupro(labelled, ranking, AUPRO_LIMIT)])
    counts = count_images(labelled, ranking)
    lost = exact - _binned(counts, np.ones((1, len(labelled)), np.int64))[0]
    rows = max(1, CHUNK // len(counts.thresholds))
    chunks = [_binned(counts, times[first : first + rows]) for first in range(0, len(times), rows)]
    average_precisions, aupros = (np.concatenate(chunks) + lost).T
    of_images = aupimo(labelled)
    return {
        "pixel_ap": ResampledValue(float(exact[0]), average_precisions),
        "aupro": ResampledValue(float(exact[1]), aupros),
        "aupimo": ResampledValue(float(of_images.mean()), taken @ of_images / of_each),
    }


def _binned(counts: ImageCounts, times: Times) -> Floats:
    """Average precision and AUPRO 0.3 of some resamples' curves: (r, 2).

    The formulas are ``binned_average_precision`` and ``binned_aupro`` of ``evaluation.metrics.curves``, for
    all resamples at once.
    """
    weights = times.astype(np.float32)
    anomalous, normal, overlap = (
        np.pad((weights @ part).astype(np.float64), ((0, 0), (1, 0)))
        for part in (counts.anomalous, counts.normal, counts.overlap)
    )
    called = anomalous + normal
    precision = np.divide(anomalous, called, out=np.ones_like(called), where=called > 0)
    average_precisions = (precision[:, 1:] * np.diff(anomalous)).sum(axis=1) / anomalous[:, -1]
    return np.stack([average_precisions, _area(normal, overlap, AUPRO_LIMIT)], axis=1)


def _area(normal: Floats, overlap: Floats, limit: float) -> Floats:
    """Area under the overlap up to the false-positive rate ``limit``, divided by it: (r,).

    The trapezoid that the limit cuts ends where its upper side, a straight line, meets the limit.
    """
    rates, shares = normal / normal[:, -1:], overlap / overlap[:, -1:]
    start, step, rise = rates[:, :-1], np.diff(rates), np.diff(shares)
    inside = np.clip(limit - start, 0, step)
    part = np.divide(inside, step, out=np.zeros_like(step), where=step > 0)
    return (inside * (shares[:, :-1] + rise * part / 2)).sum(axis=1) / limit
