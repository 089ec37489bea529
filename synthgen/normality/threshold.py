"""Which distance from normal a cell of a good product seldom exceeds, from images that were held out.

Cells of one image are alike, so that images and not cells are what the promise counts: hierarchical
conformal prediction (Lee, Barber and Willett, 2023, Distribution-free inference with hierarchical data,
arXiv:2306.06342).
"""

from fractions import Fraction
from math import ceil

from torch import Tensor

from synthgen.config.model import FrozenModel
from synthgen.errors import InputError


class NormalityThreshold(FrozenModel):
    """The distance from normal above which a cell is abnormal."""

    value: float
    quantile: float
    """Share of a good product's cells that are called normal, at least, on average over good products."""
    images: int
    """Held-out images that it was chosen by."""


def normality_threshold(distances: Tensor, quantile: float) -> NormalityThreshold:
    """The least distance that a cell of a new good image exceeds with a probability of at most 1 - quantile.

    ``distances``: (K, M) float32, of the M cells of each of K held-out images, exchangeable with new ones.
    The threshold is the quantile of all of them together at the level quantile * (K + 1) / K. Where that is
    above 1, the K images are too few: the threshold is the largest distance, which promises K / (K + 1).

    Raises InputError for no image, and for a quantile that is not above 0 and below 1.
    """
    if not 0 < quantile < 1:
        raise InputError(
            f"quantile {quantile:g}: a share of the good products' cells above 0 and below 1 is expected, "
            "such as 0.95"
        )
    images, cells = distances.shape
    if not images:
        raise InputError(
            "no image is held out; one good image or more that nothing was learned from is needed"
        )
    level = Fraction(str(quantile)) * (images + 1) / images
    rank = min(ceil(level * images * cells), images * cells)
    return NormalityThreshold(
        value=float(distances.flatten().kthvalue(rank).values),
        quantile=min(quantile, images / (images + 1)),
        images=images,
    )


def least_images(quantile: float) -> int:
    """How many held-out images it takes to promise a quantile."""
    exact = Fraction(str(quantile))
    return ceil(exact / (1 - exact))
