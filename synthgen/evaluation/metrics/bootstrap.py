"""How sure a metric is: bootstrap intervals over the images, and the spread over seeds."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from synthgen.streams import Stream

RESAMPLES = 1000
LEVEL = 0.95


class Estimate(NamedTuple):
    """A value with the bounds of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


class Spread(NamedTuple):
    """A value over several seeds; the standard deviation (of a sample, n - 1) is None for one seed."""

    mean: float
    deviation: float | None
    low: float
    high: float


Times = npt.NDArray[np.int64]


def bootstrap(
    values: Sequence[float],
    resampled: Callable[[Times], Sequence[float] | npt.NDArray[np.float64]],
    anomalous: npt.NDArray[np.bool_],
    stream: Stream,
) -> list[Estimate]:
    """Give each of the values its percentile interval (Efron and Tibshirani, 1993, chapter 13).

    1,000 times, images are drawn with replacement, the normal and the anomalous ones apart, so that a
    resample has as many of each as the test set (``anomalous``: (N,)). ``resampled`` computes the values anew
    from how often each image was drawn (N,). A value that no resample changes has an interval without width:
    that says little, not that it is sure.
    """
    # A stream draws one number at a time; these are a million.
    generator = np.random.default_rng(stream.integer(0, 2**53 - 1))
    groups = [group for group in (np.flatnonzero(anomalous), np.flatnonzero(~anomalous)) if len(group)]
    drawn = []
    for _ in range(RESAMPLES):
        images = np.concatenate([generator.choice(group, len(group)) for group in groups])
        drawn.append(resampled(np.bincount(images, minlength=len(anomalous))))
    outside = (1 - LEVEL) / 2
    lows, highs = np.quantile(np.array(drawn), [outside, 1 - outside], axis=0)
    return [
        Estimate(value, float(low), float(high)) for value, low, high in zip(values, lows, highs, strict=True)
    ]


def spread(values: Sequence[float]) -> Spread:
    """Mean, standard deviation and range of a metric's values, one for each seed."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), deviation, min(values), max(values))
