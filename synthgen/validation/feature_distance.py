"""How far an image's features are from those of normal images, with nothing learned beyond their spread."""

import torch
from torch import Tensor

from synthgen.detectors.base import DetectorSettings, Fitting, State
from synthgen.detectors.common.feature_detector import FeatureDetector
from synthgen.detectors.common.features import Features
from synthgen.detectors.common.gaussian_density import GaussianDensity, unit


class FeatureDistance(FeatureDetector):
    """The Mahalanobis distance of an image's mean features: what a network finds that saw no defect.

    The covariance is Ledoit and Wolf's. It says nothing of where a defect is: its maps are flat.
    """

    method = "feature distance"
    settings_type = DetectorSettings
    stages = (1, 2, 3)

    @property
    def uses_seed(self) -> bool:
        """Nothing is drawn."""
        return False

    def _fit(self, fitting: Fitting) -> State:
        vectors = torch.cat([_pooled(features) for features in self._training_features(fitting)])
        density, _ = GaussianDensity.fit(vectors)
        return density.state("image")

    def _prepare(self, state: State) -> None:
        self._density = GaussianDensity.of(state, "image")

    def _score_features(self, features: Features) -> tuple[Tensor, Tensor]:
        scores = self._density.distances(_pooled(features))
        side = self.settings.image_size
        return scores, scores[:, None, None].expand(-1, side, side).contiguous()


def _pooled(features: Features) -> Tensor:
    """Vectors (B, C) of length 1: each channel's mean over the image."""
    return unit(torch.cat([values.mean((2, 3)) for values in features.values()], dim=1))
