"""A memory of normal: cells of good products, and how far from them cells of other good products are."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from synthgen.errors import InputError
from synthgen.normality.threshold import NormalityThreshold, normality_threshold
from synthgen.streams import Stream

CELLS = 8000
"""Cells that are remembered, as many of each image."""
TOGETHER = 2048
"""Cells that are compared at a time, to stay in the processor's caches."""
LEAST_DEVIATION = 1e-6


@dataclass(frozen=True)
class NormalMemory:
    """Cells of good products, standardised by channel, and the threshold of the distance to the nearest."""

    cells: Tensor
    """(N, C) float32."""
    mean: Tensor
    """(C,) float32."""
    deviation: Tensor
    """(C,) float32."""
    threshold: NormalityThreshold

    @classmethod
    def of(
        cls, learned: Iterable[Tensor], count: int, held_out: Iterable[Tensor], quantile: float
    ) -> "NormalMemory":
        """Remember cells of the ``count`` ``learned`` images; choose the threshold by ``held_out`` ones.

        Both in batches (B, C, side, side) float32, of images without a defect; no image is in both. Raises
        InputError where either has no image, and as `normality_threshold` does.
        """
        if not count:
            raise InputError("no good image is given; what is normal is learned from one or more")
        images = (image for batch in learned for image in batch)
        per_image = -(-CELLS // count)
        remembered = torch.cat([_some(image, number, per_image) for number, image in enumerate(images)])
        mean = remembered.mean(0)
        deviation = remembered.std(0, correction=0).clamp(min=LEAST_DEVIATION)
        cells = (remembered - mean) / deviation
        unset = cls(cells, mean, deviation, NormalityThreshold(value=0.0, quantile=quantile, images=1))
        distances = [unset.distances(batch).flatten(1) for batch in held_out]
        found = torch.cat(distances) if distances else torch.empty(0, 1)
        return cls(cells, mean, deviation, normality_threshold(found, quantile))

    def distances(self, cells: Tensor) -> Tensor:
        """Distances (B, side, side) float32 of cells (B, C, side, side) float32 to the nearest remembered."""
        batch, channels, height, width = cells.shape
        points = cells.permute(0, 2, 3, 1).reshape(-1, channels)
        return self.point_distances(points).reshape(batch, height, width)

    def point_distances(self, points: Tensor) -> Tensor:
        """Distances (M,) float32 of cells (M, C) float32 to the nearest that is remembered."""
        standardised = (points - self.mean) / self.deviation
        norms = self.cells.square().sum(1)
        nearest = [
            torch.addmm(some.square().sum(1)[:, None] + norms, some, self.cells.mT, alpha=-2).amin(1)
            for some in torch.split(standardised, TOGETHER)
        ]
        return torch.cat([torch.empty(0), *nearest]).clamp(min=0).sqrt()


def _some(image: Tensor, number: int, count: int) -> Tensor:
    """Cells (count or fewer, C) of an image (C, side, side), drawn at random."""
    cells = image.flatten(1).mT
    if count >= len(cells):
        return cells
    chosen = Stream(0, number, "memory of normal").distinct(len(cells), count)
    return cells[torch.tensor(sorted(chosen))]
