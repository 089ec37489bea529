"""What a plan pins of a memory of normal; to be read without torch."""

from fractions import Fraction
from math import ceil
from typing import Annotated

from pydantic import Field

from synthgen.config.model import FrozenModel


class NormalityThreshold(FrozenModel):
    """The distance from normal above which a cell is abnormal."""

    value: float
    quantile: float
    """Share of a good product's cells that are called normal, at least, on average over good products."""
    images: int
    """Held-out images that it was chosen by."""


class PinnedMemory(FrozenModel):
    """A memory of normal, by its hash, and what it says of good products."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the remembered cells."""
    network: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """sha256 of the weights that it looks through."""
    images: int
    """Good images that it remembers."""
    threshold: NormalityThreshold
    image_share: float
    """Share of a whole image's cells beyond the threshold above which the image is abnormal; 1 where the
    held-out images are too few to say."""


ENOUGH = 2
"""Of as many times the fewest held-out images that promise the quantile, the threshold lies near it; of fewer
it lies far above, so that too much looks normal."""


def enough_images(quantile: float) -> int:
    """From how many held-out images on the threshold of a quantile is sharp."""
    return ENOUGH * least_images(quantile)


def least_images(quantile: float) -> int:
    """How many held-out images it takes to promise a quantile."""
    exact = Fraction(str(quantile))
    return ceil(exact / (1 - exact))
