"""Images drawn anew by whole clusters, such as all images of one part."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from synthgen.evaluation.metrics.bootstrap import Times
from synthgen.streams import Stream

RESAMPLES = 2000

Flags = npt.NDArray[np.bool_]


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
