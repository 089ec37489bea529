"""Which distance from normal a cell of a good product seldom exceeds, from images that were held out.

Cells of one image are alike, so that images and not cells are what the promise counts: hierarchical
conformal prediction (Lee, Barber and Willett, 2023, Distribution-free inference with hierarchical data,
arXiv:2306.06342).
"""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

import torch
from torch import Tensor

from synthgen.errors import InputError
from synthgen.normality.pinned import NormalityThreshold

ROUNDING = 1e-12
"""Sums of weights that fall short of a level by less have reached it."""


def normality_threshold(distances: Sequence[Tensor], quantile: float) -> NormalityThreshold:
    """The least distance that a cell of a new good image exceeds with a probability of at most 1 - quantile.

    ``distances``: (M,) float32 of the cells of each of K held-out images, exchangeable with new ones. Every
    image weighs the same, however many cells it has. The threshold is the quantile of all of them together at
    the level quantile * (K + 1) / K. Where that is above 1, the K images are too few: the threshold is the
    largest distance, which promises K / (K + 1).

    Raises InputError for no image, and for a quantile that is not above 0 and below 1.
    """
    if not 0 < quantile < 1:
        raise InputError(
            f"quantile {quantile:g}: a share of the good products' cells above 0 and below 1 is expected, "
            "such as 0.95"
        )
    images = len(distances)
    if not images:
        raise InputError(
            "no image is held out; one good image or more that nothing was learned from is needed"
        )
    level = min(float(Fraction(str(quantile)) * (images + 1) / images), 1.0)
    return NormalityThreshold(
        value=_weighted_quantile(distances, level * (1 - ROUNDING)),
        quantile=min(quantile, images / (images + 1)),
        images=images,
    )


def _weighted_quantile(distances: Sequence[Tensor], level: float) -> float:
    """The least distance at which the share of cells that are as near reaches the level."""
    every, order = torch.cat(list(distances)).sort()
    weights = torch.cat([torch.full((len(some),), 1 / len(some)).double() for some in distances])
    reached = weights[order].cumsum(0) / len(distances) >= level
    return float(every[reached.nonzero()[0, 0]]) if reached.any() else float(every[-1])


def least_abnormal_share(shares: Sequence[float], quantile: float) -> float:
    """The share of an image's cells beyond normal that a new good image exceeds with 1 - quantile at most.

    ``shares``: of the held-out images (split conformal prediction). 1 where they are too few to say.
    """
    rank = ceil(Fraction(str(quantile)) * (len(shares) + 1))
    return sorted(shares)[rank - 1] if rank <= len(shares) else 1.0
