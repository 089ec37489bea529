"""What both forms of EfficientAD have: their settings, and scores out of the maps of student and others."""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from synthgen.detectors.base import Detector, DetectorSettings, Fitting
from synthgen.detectors.efficientad.imitation import Imitation

WITH_TEACHER = "student and teacher alone"
WITH_AUTOENCODER = "student and autoencoder alone"
READ = 16
"""Training images that are read together."""


class ImitationSettings(DetectorSettings):
    """How long student and autoencoder are trained, and whether the student is shown other pictures."""

    steps: Annotated[int, Field(ge=1)]
    """Training steps."""
    penalty: Literal["textures", "none"] = "textures"
    """Pictures for which the student learns to give nothing (section 3.2): synthetic textures in place of
    ImageNet's pictures, or none."""


class ImitationDetector(Detector):
    """A detector that scores by how student, teacher and autoencoder differ.

    The training images are kept in memory, in half precision, while it is fitted.
    """

    trains = True
    companions = (WITH_TEACHER, WITH_AUTOENCODER)
    settings: ImitationSettings
    _imitation: Imitation
    _enlarge: Callable[[Tensor], Tensor]
    """Maps (B, h, w) to (B, H, W)."""

    def _images(self, fitting: Fitting) -> Tensor:
        """All training images (N, 3, H, W) float16; reports those that are read."""
        batches: list[Tensor] = []
        done = 0
        for batch in fitting.normals.batches(READ):
            batches.append(batch.half())
            done += len(batch)
            fitting.progress(done, len(fitting.normals))
        return torch.cat(batches)

    def _score(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of both maps; the image's score is the largest value (section 3.4)."""
        maps = self._imitation.scaled(images)
        return self._scored((maps.teacher + maps.autoencoder) / 2)

    def _score_companion(self, name: str, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = self._imitation.scaled(images)
        return self._scored(maps.teacher if name == WITH_TEACHER else maps.autoencoder)

    def _scored(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        return cells.amax((1, 2)), self._enlarge(cells)
