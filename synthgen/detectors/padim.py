"""PaDiM: a Gaussian of features at every location (Defard et al., ICPR workshops 2021)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from synthgen.detectors.base import DetectorSettings, Fitting, State
from synthgen.detectors.common.anomaly_maps import MapEnlarger
from synthgen.detectors.common.backbone import Backbone
from synthgen.detectors.common.feature_detector import FeatureDetector
from synthgen.detectors.common.features import Features
from synthgen.errors import InputError
from synthgen.streams import Stream

PUBLISHED_CHANNELS = {448: 100, 1792: 550}
"""Channels that are kept, by the number that stages 1 to 3 have together."""

FACTORED_TOGETHER = 64
"""Locations whose covariances are factored together, to bound the memory for float64."""


class PadimSettings(DetectorSettings):
    """PaDiM's settings, by default the paper's."""

    channels: Annotated[int, Field(ge=1)] | None = None
    """How many channels are kept, chosen at random from all stages; None keeps 100 of
    448, 550 of 1792, and all of EfficientNet-Lite0's 176."""
    regularisation: Annotated[float, Field(gt=0)] = 0.01
    """Added to the diagonal of every covariance (the paper's epsilon)."""


class Padim(FeatureDetector):
    """The Mahalanobis distance of each location's features from the normal images' there (section III).

    With a single training image every covariance is the regularisation alone.
    """

    method = "padim"
    settings_type = PadimSettings
    stages = (1, 2, 3)
    settings: PadimSettings

    def __init__(self, settings: PadimSettings, backbone: Backbone, device: torch.device) -> None:
        super().__init__(settings, backbone, device)
        self._all_channels = sum(backbone.channels.values())
        self._kept_channels = settings.channels or PUBLISHED_CHANNELS.get(
            self._all_channels, self._all_channels
        )
        if self._kept_channels > self._all_channels:
            raise InputError(
                f"channels {self._kept_channels}: {backbone.name} has {self._all_channels} in stages 1 to 3; "
                "give at most that many"
            )
        self._enlarge = MapEnlarger(self._side(), settings.image_size, settings.smoothing, device)

    @property
    def uses_seed(self) -> bool:
        """Whether channels are chosen at random."""
        return self._kept_channels < self._all_channels

    def _fit(self, fitting: Fitting) -> State:
        chosen = Stream(fitting.seed, 0, "padim channels").distinct(self._all_channels, self._kept_channels)
        self._choose(torch.tensor(sorted(chosen), device=self.device))
        moments = _Moments(self._side() ** 2, self._kept_channels, self.device)
        for features in self._training_features(fitting):
            moments.add(self._embed(features))
        return {
            "channels": self._channels,
            "mean": moments.mean,
            "whitening": moments.whitening(self.settings.regularisation),
        }

    def _prepare(self, state: State) -> None:
        self._choose(state["channels"])
        locations, kept = self._side() ** 2, self._kept_channels
        self._mean = state["mean"].view(locations, 1, kept)
        self._whitening = state["whitening"].view(locations, kept, kept)

    def _score_features(self, features: Features) -> tuple[Tensor, Tensor]:
        """Equation 2, (x - m)' S^-1 (x - m) = |(x - m)' W|^2 with W W' = S^-1; its root is the map."""
        whitened = (self._embed(features) - self._mean) @ self._whitening
        distances = whitened.norm(dim=2).mT
        maps = self._enlarge(distances.reshape(-1, self._side(), self._side()))
        return maps.amax((1, 2)), maps

    def _choose(self, channels: Tensor) -> None:
        """Remember the kept channels, and which channels of each stage they are."""
        self._channels = channels
        self._of_stage: dict[int, Tensor] = {}
        start = 0
        for stage in self.stages:
            end = start + self.backbone.channels[stage]
            self._of_stage[stage] = channels[(channels >= start) & (channels < end)] - start
            start = end

    def _embed(self, features: Features) -> Tensor:
        """The kept channels at each location, (L, B, D); coarse stages are repeated to the finest's size."""
        size = features[self.stages[0]].shape[2:]
        levels = []
        for stage, values in features.items():
            kept = values.permute(0, 2, 3, 1)[..., self._of_stage[stage]]
            levels.append(functional.interpolate(kept.permute(0, 3, 1, 2), size, mode="nearest"))
        return torch.cat(levels, dim=1).flatten(2).permute(2, 0, 1).contiguous()


class _Moments:
    """Mean and scatter of vectors that come in batches (Chan, Golub and LeVeque, 1979), per location."""

    def __init__(self, locations: int, channels: int, device: torch.device) -> None:
        self._count = 0
        self.mean = torch.zeros(locations, channels, device=device)
        self._scatter = torch.zeros(locations, channels, channels, device=device)

    def add(self, vectors: Tensor) -> None:
        """Add vectors (L, B, D)."""
        added = vectors.shape[1]
        total = self._count + added
        mean = vectors.mean(1)
        step = mean - self.mean
        between = step * (self._count * added / total) ** 0.5
        rows = torch.cat([vectors - mean[:, None], between[:, None]], dim=1)
        self._scatter.baddbmm_(rows.mT, rows)
        self.mean += step * (added / total)
        self._count = total

    def whitening(self, regularisation: float) -> Tensor:
        """W (L, D, D) with W W' = (covariance + regularisation I)^-1; overwrites the scatter."""
        for scatter in torch.split(self._scatter, FACTORED_TOGETHER):
            covariance = scatter.double() / max(self._count - 1, 1)
            covariance.diagonal(dim1=1, dim2=2).add_(regularisation)
            scatter.copy_(_whitening(covariance, regularisation))
        return self._scatter


def _whitening(covariance: Tensor, smallest: float) -> Tensor:
    """W of covariances (L, D, D) float64 whose eigenvalues are at least ``smallest`` but for rounding."""
    factor, failed = torch.linalg.cholesky_ex(covariance)
    identity = torch.eye(covariance.shape[1], dtype=covariance.dtype, device=covariance.device)
    whitening = torch.linalg.solve_triangular(factor, identity, upper=False).mT
    rounded = failed.nonzero()[:, 0]
    if len(rounded):
        values, vectors = torch.linalg.eigh(covariance[rounded])
        whitening = whitening.clone()
        whitening[rounded] = vectors / values.clamp(min=smallest).sqrt()[:, None]
    return whitening
