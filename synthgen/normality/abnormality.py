"""How much of a defect lies beyond what good products look like."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from synthgen.detectors.segmenter.cells import cover_of
from synthgen.normality.memory import NormalMemory

LEAST_THRESHOLD = 1e-6
"""Images that are all the same have no variation: whatever is farther is beyond it."""


class Abnormality(NamedTuple):
    """What a defect's cells are like."""

    share: float
    """Share of the mask in cells beyond normal variation, 0 to 1."""
    excess: float
    """Mean distance from normal over the mask, as a multiple of the threshold, less 1: below 0 is normal."""


def abnormalities(cells: Tensor, masks: Tensor, memory: NormalMemory) -> Sequence[Abnormality]:
    """Of each image with a defect, how abnormal it is.

    ``cells``: (B, C, side, side) float32; ``masks``: (B, H, W) bool, each with a pixel, H = W the images'
    side. A cell counts by the pixels of the mask that it covers.
    """
    limit = max(memory.threshold.value, LEAST_THRESHOLD)
    found = []
    for some, weights in zip(cells, cover_of(masks), strict=True):
        inside = weights > 0
        relative = memory.point_distances(some[:, inside].mT) / limit
        share = weights[inside] / weights.sum()
        found.append(Abnormality(float(share[relative > 1].sum()), float((share * relative).sum()) - 1))
    return found
