"""All metrics of a test set at once, each with its bootstrap interval over the images."""

import numpy as np
import numpy.typing as npt

from synthgen.errors import InputError
from synthgen.evaluation.metrics.bootstrap import Estimate, Times, bootstrap
from synthgen.evaluation.metrics.curves import (
    Curves,
    binned_aupro,
    binned_auroc,
    binned_average_precision,
    binned_oracle_f1,
    binned_tpr_at_fpr,
    count_images,
    curves,
)
from synthgen.evaluation.metrics.pixels import LabelledMaps, rank_pixels
from synthgen.evaluation.metrics.ranking import (
    Ranking,
    Scores,
    auroc,
    average_precision,
    oracle_f1,
    rank_images,
    tpr_at_fpr,
)
from synthgen.evaluation.metrics.regions import aupimo, aupro
from synthgen.streams import Stream

TPR_LIMIT = 0.05
"""The false-positive rate at which the true-positive rate is reported."""
AUPRO_LIMIT = 0.3
"""The usual bound of the false-positive rate."""
AUPRO_LIMITS = (AUPRO_LIMIT, 0.05)

RANKING_METRICS = ("auroc", "average_precision", "oracle_f1", f"tpr_at_fpr_{TPR_LIMIT}")
PIXEL_METRICS = (*RANKING_METRICS, *(f"aupro_{limit}" for limit in AUPRO_LIMITS), "aupimo")


def image_metrics(scores: Scores, anomalous: npt.NDArray[np.bool_], stream: Stream) -> dict[str, Estimate]:
    """AUROC, AP, oracle F1 and the TPR at an FPR of 0.05, by the names in RANKING_METRICS.

    ``scores`` (N,) are the images', and ``anomalous`` (N,) says which of them are. Raises InputError where
    either class is absent, and for scores that are not finite.
    """

    def resampled(times: Times) -> list[float]:
        return _ranking_metrics(rank_images(scores.repeat(times), anomalous.repeat(times)))

    values = _ranking_metrics(rank_images(scores, anomalous))
    return dict(zip(RANKING_METRICS, bootstrap(values, resampled, anomalous, stream), strict=True))


def pixel_metrics(labelled: LabelledMaps, stream: Stream) -> dict[str, Estimate | None]:
    """The same of all pixels, AUPRO up to 0.3 and 0.05, and the mean AUPIMO, by the names in PIXEL_METRICS.

    The values are exact; the intervals come from curves of 2,048 points. AUPIMO is None where no image is
    normal. Raises InputError where no pixel is anomalous, or none is normal.
    """
    ranking = rank_pixels(labelled)
    counts, anomalous = count_images(labelled, ranking), labelled.anomalous()

    values = [*_ranking_metrics(ranking), *(aupro(labelled, ranking, limit) for limit in AUPRO_LIMITS)]
    # What the curves lose between their points they lose in every resample alike.
    lost = np.array(values) - _binned_metrics(curves(counts, np.ones(len(labelled), np.int64)))

    def resampled(times: Times) -> npt.NDArray[np.float64]:
        return _binned_metrics(curves(counts, times)) + lost

    estimates = bootstrap(values, resampled, anomalous, stream)
    return dict(zip(PIXEL_METRICS, [*estimates, _aupimo(labelled, stream)], strict=True))


def _ranking_metrics(ranking: Ranking) -> list[float]:
    return [
        auroc(ranking),
        average_precision(ranking),
        oracle_f1(ranking).value,
        tpr_at_fpr(ranking, TPR_LIMIT),
    ]


def _binned_metrics(curve: Curves) -> npt.NDArray[np.float64]:
    return np.array(
        [
            binned_auroc(curve),
            binned_average_precision(curve),
            binned_oracle_f1(curve),
            binned_tpr_at_fpr(curve, TPR_LIMIT),
            *(binned_aupro(curve, limit) for limit in AUPRO_LIMITS),
        ]
    )


def _aupimo(labelled: LabelledMaps, stream: Stream) -> Estimate | None:
    """The mean over the images; resampled, too, the rates are those of all normal images."""
    try:
        values = aupimo(labelled)
    except InputError:
        return None

    def resampled(times: Times) -> list[float]:
        return [float(np.average(values, weights=times))]

    everything = np.ones(len(values), np.bool_)
    return bootstrap([float(values.mean())], resampled, everything, stream)[0]
