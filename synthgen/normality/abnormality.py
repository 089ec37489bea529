"""How much of a defect lies beyond what good products look like."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from synthgen.detectors.segmenter.cells import cover_of
from synthgen.normality.memory import NormalMemory


class Abnormality(NamedTuple):
    """What a defect's cells are like."""

    share: float
    """Share of the mask in cells beyond normal variation, 0 to 1."""
    excess: float
    """Mean distance from normal over the mask, as a multiple of the threshold, less 1: below 0 is normal."""


def abnormality_of(relative: Tensor, weights: Tensor) -> Abnormality:
    """How abnormal a defect is.

    ``relative``: (M,) float32, the distances of its cells from normal as multiples of the threshold;
    ``weights``: (M,) float32, above 0, the pixels of its mask in each of them.
    """
    share = weights.double() / weights.double().sum()
    return Abnormality(float(share[relative > 1].sum()), float((share * relative).sum()) - 1)


def abnormalities(cells: Tensor, masks: Tensor, memory: NormalMemory) -> Sequence[Abnormality]:
    """Of each image with a defect, how abnormal it is.

    ``cells``: (B, C, height, width) float32; ``masks``: (B, H, W) bool, each with a pixel, of the images'
    size. A cell counts by the pixels of the mask that it covers.
    """
    found = []
    for some, weights in zip(cells, cover_of(masks), strict=True):
        inside = weights > 0
        found.append(abnormality_of(memory.relative_distances(some[:, inside].mT), weights[inside]))
    return found
