"""A threshold that bounds how often a good product is called NG, from the scores of held-out normal images.

Split conformal prediction (Vovk, Gammerman and Shafer, 2005, Algorithmic Learning in a Random World; Bates,
Candès, Lei, Romano and Sesia, 2023, Testing for outliers with conformal p-values). The bounds hold for any
detector and any distribution of scores, as long as the held-out images and those to come are exchangeable:
the same product, camera and light.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field

from synthgen.config.model import FrozenModel
from synthgen.errors import InputError

CONFIDENCE = 0.95


class Threshold(FrozenModel):
    """A threshold on anomaly scores, and how many good products it calls NG at most."""

    model_config = ConfigDict(allow_inf_nan=False)

    value: float
    """Scores above it are NG; one that equals it is OK."""
    false_alarms: Annotated[float, Field(gt=0, lt=1)]
    """Share of good products that are called NG, at most, on average over draws of the held-out images."""
    upper: Annotated[float, Field(gt=0, lt=1)]
    """What this share is at most, with 95 % confidence, for the images that were held out."""
    images: Annotated[int, Field(ge=1)]
    """Held-out normal images that it was chosen by."""

    def is_ng(self, score: float) -> bool:
        """Whether a score means that the product is not good."""
        return score > self.value

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"at most {percent(self.false_alarms)} of good products are called NG on average (with "
            f"{100 * CONFIDENCE:.0f} % confidence at most {percent(self.upper)}), "
            f"from {counted(self.images)}"
        )


def conformal_threshold(
    scores: Sequence[float] | npt.NDArray[np.float64], false_alarms: float = 0.01
) -> Threshold:
    """The lowest threshold that calls at most the share ``false_alarms`` of good products NG on average.

    ``scores``: (n,), of normal images that the detector was not fitted on. The threshold is the k-th largest
    of them, k = floor(false_alarms * (n + 1)): a new score lies above it with a probability of at most
    k / (n + 1), and exactly that where no two scores are equal. Given these n scores, the probability is then
    distributed as Beta(k, n + 1 - k), whose 95 % quantile is ``upper``. With too few images for k = 1 the
    threshold is the largest score all the same, and promises 1 / (n + 1), which is more than was asked for;
    `promise_notes` says so.

    Raises InputError for no scores, for one that is not finite, and as `require_false_alarms` does.
    """
    require_false_alarms(false_alarms)
    values = np.asarray(scores, np.float64)
    if not values.size or not np.isfinite(values).all():
        found = "a score that is NaN or infinite" if values.size else "no score"
        raise InputError(f"threshold: found {found}; finite scores of held-out normal images are expected")
    count = len(values)
    rank = max(floor(_exactly(false_alarms) * (count + 1)), 1)
    return Threshold(
        value=float(np.partition(values, count - rank)[count - rank]),
        false_alarms=rank / (count + 1),
        upper=_upper(rank, count),
        images=count,
    )


def require_false_alarms(false_alarms: float) -> None:
    """Raise InputError for anything but a share above 0 and below 1."""
    if not 0 < false_alarms < 1:
        raise InputError(
            f"false alarms {false_alarms:g}: a share of the good products above 0 and below 1 is expected, "
            "such as 0.01"
        )


def least_images(false_alarms: float) -> int:
    """How many held-out normal images it takes to promise a share of false alarms."""
    return max(ceil(1 / _exactly(false_alarms)) - 1, 1)


def promise_notes(threshold: Threshold, asked: float) -> list[str]:
    """What a person should know where a threshold promises less than was asked for, a sentence each."""
    if threshold.images >= least_images(asked):
        return []
    return [
        f"with {counted(threshold.images)} no threshold can promise less than "
        f"{percent(threshold.false_alarms)} false alarms, so that is what this one promises; "
        f"{percent(asked)} takes {least_images(asked)} images or more"
    ]


def counted(images: int) -> str:
    """A number of held-out images in words."""
    return f"{images} held-out image{'s' * (images != 1)}"


def percent(share: float) -> str:
    """A share as people read it, such as ``2.4 %``."""
    hundredfold = 100 * share
    return f"{hundredfold:.1f} %" if hundredfold >= 1 else f"{hundredfold:.2g} %"


def _exactly(share: float) -> Fraction:
    """The decimal number that was written: 0.29 * 100 is 28.999… in binary."""
    return Fraction(str(float(share)))


def _upper(rank: int, count: int) -> float:
    from scipy.special import betaincinv

    return float(betaincinv(rank, count + 1 - rank, CONFIDENCE))
