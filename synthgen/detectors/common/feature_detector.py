"""What methods share that look at the features of a frozen backbone."""

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from synthgen.detectors.base import Detector, DetectorSettings, Fitting
from synthgen.detectors.common.backbone import Backbone
from synthgen.detectors.common.features import FeatureExtractor, Features

FIT_BATCH = 16
"""Training images whose features are extracted together."""


class FeatureDetector(Detector):
    """A detector that sees an image as the features of some of a backbone's stages."""

    stages: ClassVar[tuple[int, ...]]
    """Stages of the backbone whose features the method looks at, the finest first."""
    backbone: Backbone

    @classmethod
    def stages_of(cls, settings: Any) -> tuple[int, ...]:
        """The stages that it looks at with some settings, the finest first."""
        return cls.stages

    def __init__(self, settings: DetectorSettings, backbone: Backbone, device: torch.device) -> None:
        super().__init__(settings, device)
        self.backbone = backbone
        self._extract = FeatureExtractor(backbone, device)

    def _score_features(self, features: Features) -> tuple[Tensor, Tensor]:
        """Scores (B,) and maps (B, H, W), float32, of a batch's features.

        A method that looks at the images, too, implements `_score` in its place.
        """
        raise NotImplementedError

    def _score(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self._score_features(self._extract(images))

    def _training_features(self, fitting: Fitting) -> Iterator[Features]:
        """All training images' features, in batches on the detector's device; reports the images done."""
        done = 0
        for batch in fitting.normals.batches(FIT_BATCH):
            yield self._extract(batch)
            done += len(batch)
            fitting.progress(done, len(fitting.normals))

    def _side(self) -> int:
        """Height and width of the finest stage's features."""
        return -(-self.settings.image_size // 2 ** (self.stages[0] + 1))
