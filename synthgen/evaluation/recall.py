"""How many synthetic defects a detector finds, by method, size and contrast, and how sure that is.

Samples that are made of one normal image are not independent. How alike they are is not estimated, which few
images and recalls near 0 and 1 do not allow; the intervals count as if all samples of an image were found or
missed together. They are Wilson's (1927) for Kish's effective number (1965), (sum of n_i)^2 / sum of n_i^2
over images of n_i samples: never too narrow for that reason, and too wide where defects matter more than
images do.
"""

from collections import Counter
from collections.abc import Sequence
from math import sqrt
from typing import Annotated, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from synthgen.config.model import FrozenModel

NORMAL_QUANTILE = 1.959963984540054
"""Of 97.5 %, for intervals of 95 %."""

Share = Annotated[float, Field(ge=0, le=1)]


class JudgedSample(NamedTuple):
    """A sample with a defect, and whether it was found."""

    method: str
    area: float
    """Share of the image that the mask covers, 0 to 1."""
    contrast: float
    """Mean over the mask of the largest channel change, grey levels."""
    image: str
    """Names the normal image that it was made of."""
    found: bool


class Recall(FrozenModel):
    """The share of some samples that is found, with its 95 % interval."""

    by: Literal["all", "method", "size", "contrast"]
    name: str
    """The method, or which third of the samples these are."""
    range: tuple[float, float] | None = None
    """The least and the greatest mask area (share of the image) or contrast (grey levels) among them."""
    samples: Annotated[int, Field(ge=1)]
    images: Annotated[int, Field(ge=1)]
    """Normal images that they were made of."""
    value: Share
    low: Share
    high: Share


def recalls(samples: Sequence[JudgedSample]) -> list[Recall]:
    """The recall of all samples, at least one, of each method, and of thirds by mask area and contrast."""
    found = [_recall(samples, "all", "all")]
    for method in sorted({sample.method for sample in samples}):
        found.append(_recall([each for each in samples if each.method == method], "method", method))
    found += _thirds(samples, [each.area for each in samples], "size", ("small", "middle", "large"))
    found += _thirds(samples, [each.contrast for each in samples], "contrast", ("low", "middle", "high"))
    return found


def effective_number(images: Sequence[str]) -> float:
    """How many independent samples some are worth, given the image of each: at most as many as images."""
    sizes = np.array([*Counter(images).values()], np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def wilson(share: float, number: float) -> tuple[float, float]:
    """The 95 % interval of a share that was found in so many independent samples."""
    square = NORMAL_QUANTILE**2
    middle = (share + square / (2 * number)) / (1 + square / number)
    half = sqrt(share * (1 - share) / number + square / (4 * number**2)) / (1 + square / number)
    half *= NORMAL_QUANTILE
    # The ends are exact for 0 and 1, which rounding would miss.
    return (0.0 if share == 0 else max(middle - half, 0.0)), (1.0 if share == 1 else min(middle + half, 1.0))


def _recall(
    samples: Sequence[JudgedSample],
    by: Literal["all", "method", "size", "contrast"],
    name: str,
    values: npt.NDArray[np.float64] | None = None,
) -> Recall:
    share = sum(sample.found for sample in samples) / len(samples)
    images = [sample.image for sample in samples]
    low, high = wilson(share, effective_number(images))
    return Recall(
        by=by,
        name=name,
        range=None if values is None else (float(values.min()), float(values.max())),
        samples=len(samples),
        images=len(set(images)),
        value=share,
        low=low,
        high=high,
    )


def _thirds(
    samples: Sequence[JudgedSample],
    of_each: Sequence[float],
    by: Literal["size", "contrast"],
    names: tuple[str, str, str],
) -> list[Recall]:
    """Three groups of about one size; equal values stay together, and where all are equal there is none."""
    values = np.array(of_each)
    third = np.searchsorted(np.quantile(values, [1 / 3, 2 / 3]), values)
    found = []
    for number, name in enumerate(names):
        chosen = np.flatnonzero(third == number)
        if len(chosen):
            found.append(_recall([samples[each] for each in chosen.tolist()], by, name, values[chosen]))
    return found if len(found) > 1 else []
