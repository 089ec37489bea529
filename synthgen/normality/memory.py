"""A memory of normal: cells of good products, and how far from them cells of other good products are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from synthgen.detectors.common.coreset import greedy_coreset
from synthgen.detectors.common.gaussian_density import SMALLEST_VARIANCE, ledoit_wolf
from synthgen.errors import InputError
from synthgen.normality.pinned import NormalityThreshold
from synthgen.normality.threshold import least_abnormal_share, normality_threshold
from synthgen.streams import Stream

LOOKED_AT = 20_000
"""Cells that the remembered ones are chosen from, as many of each image."""
CELLS = 2000
"""Cells that are remembered, each the farthest from those before it: what is rare is remembered, too. Of as
many drawn at random the threshold lies higher, and more defects look normal."""
TOGETHER = 2048
"""Cells that are compared at a time, to stay in the processor's caches."""
LEAST_DEVIATION = 1e-6
LEAST_THRESHOLD = 1e-6
"""Images that are all the same have no variation: whatever is farther is beyond it."""


@dataclass(frozen=True)
class NormalMemory:
    """Cells of good products, whitened, and what is beyond them.

    A cell's distance to the nearest is Mahalanobis's, by the covariance of all good cells: a change that good
    products seldom show weighs more than one that they show all the time.
    """

    cells: Tensor
    """(N, C) float32, whitened."""
    mean: Tensor
    """(C,) float32."""
    whitening: Tensor
    """(C, C) float32: the difference of a cell from the mean, times this, has unit covariance."""
    threshold: NormalityThreshold
    image_share: float
    """Share of a whole image's cells beyond the threshold above which the image is abnormal."""

    @cached_property
    def _norms(self) -> Tensor:
        return self.cells.square().sum(1)

    @classmethod
    def of(
        cls,
        learned: Iterable[Tensor],
        count: int,
        held_out: Iterable[Tensor],
        quantile: float,
    ) -> "NormalMemory":
        """Remember cells of the ``count`` ``learned`` images; choose the threshold by ``held_out`` ones.

        Both are the cells (M, C) float32 of an image each, one or more, of images without a defect; no image
        is in both. Raises InputError where either has no image, and as `normality_threshold` does.
        """
        if not count:
            raise InputError("no good image is given; what is normal is learned from one or more")
        per_image = -(-LOOKED_AT // count)
        looked_at = torch.cat([_some(image, number, per_image) for number, image in enumerate(learned)])
        mean, whitening = _whitening(looked_at)
        whitened = (looked_at - mean) @ whitening
        if len(whitened) > CELLS:
            whitened = whitened[greedy_coreset(whitened, CELLS, 0, lambda done, total: None)]
        undecided = NormalityThreshold(value=0.0, quantile=quantile, images=1)
        unset = cls(whitened, mean, whitening, undecided, image_share=1.0)
        return unset._with_threshold([unset.distances(image) for image in held_out], quantile)

    def _with_threshold(self, distances: Sequence[Tensor], quantile: float) -> "NormalMemory":
        threshold = normality_threshold(distances, quantile)
        limit = max(threshold.value, LEAST_THRESHOLD)
        shares = [float((some > limit).float().mean()) for some in distances]
        image_share = least_abnormal_share(shares, quantile)
        return replace(self, threshold=threshold, image_share=image_share)

    def distances(self, cells: Tensor) -> Tensor:
        """Distances (M,) float32 of cells (M, C) float32 to the nearest that is remembered."""
        whitened = (cells - self.mean) @ self.whitening
        nearest = [
            torch.addmm(some.square().sum(1)[:, None] + self._norms, some, self.cells.mT, alpha=-2).amin(1)
            for some in torch.split(whitened, TOGETHER)
        ]
        return torch.cat([cells.new_empty(0), *nearest]).clamp(min=0).sqrt()

    def relative_distances(self, cells: Tensor) -> Tensor:
        """Those distances as multiples of the threshold: above 1 is beyond normal variation."""
        return self.distances(cells) / max(self.threshold.value, LEAST_THRESHOLD)

    def to(self, device: torch.device) -> "NormalMemory":
        """The same on a device."""
        return replace(
            self,
            cells=self.cells.to(device),
            mean=self.mean.to(device),
            whitening=self.whitening.to(device),
        )


def _whitening(cells: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (C,) and whitening (C, C) of cells (N, C), by Ledoit and Wolf's covariance at unit variances."""
    wide = cells.double()
    deviation = wide.std(0, correction=0).clamp(min=LEAST_DEVIATION)
    mean = wide.mean(0)
    variances, directions = torch.linalg.eigh(ledoit_wolf((wide - mean) / deviation).covariance)
    whitening = directions / variances.clamp(min=SMALLEST_VARIANCE).sqrt() / deviation[:, None]
    return mean.float(), whitening.float()


def _some(cells: Tensor, number: int, count: int) -> Tensor:
    """Of the cells (M, C) of an image (count or fewer, C), drawn at random."""
    if count >= len(cells):
        return cells
    chosen = Stream(0, number, "memory of normal").distinct(len(cells), count)
    return cells[torch.tensor(sorted(chosen), device=cells.device)]
