"""What detectors are fitted on: normal images, and samples with anomalies; every batch is checked."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from synthgen.detectors.common.checks import require_images
from synthgen.errors import InputError, RunError


class NormalImages(Protocol):
    """Normal images to fit on; every pass gives the same images in the same order."""

    def __len__(self) -> int:
        """How many images there are."""

    def batches(self, size: int) -> Iterator[Tensor]:
        """All images in batches (B, 3, H, W) float32, RGB in [0, 1], H = W = the settings' image_size."""


class AnomalyBatch(NamedTuple):
    """Samples of a plan, and the good products that they were made of."""

    images: Tensor
    """(B, 3, H, W) float32, RGB in [0, 1]."""
    masks: Tensor
    """(B, H, W) bool; all False where no defect could be made."""
    normals: Tensor
    """(B, 3, H, W) float32: equal to the images outside the masks."""
    methods: tuple[str, ...]
    """The synthesizer of each."""
    doubtful: Tensor | None = None
    """(B, H, W) bool: the pixels of the masks that look like good products; None where nobody looked."""


class AnomalySource(Protocol):
    """Samples with anomalies, as many as are asked for; the same number is always the same one."""

    @property
    def methods(self) -> Sequence[str]:
        """The synthesizers that samples may be of, without repetition, in one order."""

    def batches(self, size: int, count: int, first: int = 0) -> Iterator[AnomalyBatch]:
        """The samples ``first`` to ``first + count - 1`` in order, in batches; the last may be smaller."""


class CheckedNormals:
    """Normal images on their way to a method: every batch is checked, and in every pass their number."""

    def __init__(self, images: NormalImages, method: str, side: int) -> None:
        self._images, self._count = images, len(images)
        self._method, self._side = method, side

    def __len__(self) -> int:
        return self._count

    def batches(self, size: int) -> Iterator[Tensor]:
        """Those of the images. Raises InputError for a wrong batch, RunError for a wrong number."""
        given = 0
        for batch in self._images.batches(size):
            require_images(self._method, batch, self._side, given)
            given += len(batch)
            if given > self._count:
                break
            yield batch
        if given != self._count:
            raise RunError(
                f"{self._method} expects {self._count} training images and was given "
                f"{'more' if given > self._count else given}; leave the source as it is while fitting"
            )


class CheckedAnomalies:
    """Samples with anomalies on their way to a method: every batch is checked."""

    def __init__(self, anomalies: AnomalySource, method: str, side: int) -> None:
        self._anomalies, self._method, self._side = anomalies, method, side
        self.methods = tuple(anomalies.methods)

    def batches(self, size: int, count: int, first: int = 0) -> Iterator[AnomalyBatch]:
        """Those of the source. Raises InputError for a wrong batch, RunError for a wrong number."""
        given = 0
        for batch in self._anomalies.batches(size, count, first):
            for pictures in (batch.images, batch.normals):
                require_images(self._method, pictures, self._side, first + given)
            self._require_labels(batch)
            given += len(batch.images)
            yield batch
        if given != count:
            raise RunError(
                f"{self._method} asked for {count} samples with anomalies and was given {given}; this is a "
                "bug in what makes them"
            )

    def _require_labels(self, batch: AnomalyBatch) -> None:
        count = len(batch.images)
        expected = (count, self._side, self._side)
        if batch.masks.shape != expected or batch.masks.dtype != torch.bool:
            raise InputError(
                f"masks are {tuple(batch.masks.shape)} {batch.masks.dtype}; {self._method} expects "
                f"{expected} torch.bool"
            )
        if len(batch.normals) != count or len(batch.methods) != count:
            raise InputError(
                f"a batch of {count} samples has {len(batch.normals)} normal images and the methods of "
                f"{len(batch.methods)}; {self._method} expects one of each for every sample"
            )
        if batch.doubtful is not None and batch.doubtful.shape != expected:
            raise InputError(
                f"doubtful pixels are {tuple(batch.doubtful.shape)}; {self._method} expects {expected}"
            )
        if unknown := set(batch.methods) - set(self.methods):
            raise InputError(
                f"a sample is of the method '{sorted(unknown)[0]}', which is none of "
                f"{', '.join(self.methods)}"
            )
