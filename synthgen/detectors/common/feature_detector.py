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

    @property
    def scores_features(self) -> bool:
        """Whether it looks at the features alone, so that `predict_features` serves."""
        return type(self)._score is FeatureDetector._score

    def predict_features(self, features: Features) -> tuple[Tensor, Tensor]:
        """As `predict`, of images whose features are known: (B, C, H, W) float32 of each of the `stages`.

        Only for a detector that `scores_features`. All images are scored together, which is faster; the last
        bits of a score may depend on the others.
        """
        self._require_fitted()
        count = len(features[self.stages[0]])
        return self._in_batches(
            count,
            lambda some: self._score_features(
                {stage: features[stage][some].to(self.device) for stage in self.stages}
            ),
            together=max(count, 1),
        )

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
