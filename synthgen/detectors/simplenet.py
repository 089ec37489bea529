"""SimpleNet: a discriminator between normal features and the same with noise (Liu et al., CVPR 2023)."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from synthgen.detectors.base import DetectorSettings, Fitting, State
from synthgen.detectors.common.anomaly_maps import MapEnlarger
from synthgen.detectors.common.backbone import Backbone
from synthgen.detectors.common.feature_detector import FeatureDetector
from synthgen.detectors.common.features import Features, neighbourhood_patches
from synthgen.detectors.common.training import train
from synthgen.streams import Stream

PASSES = {"published": 160, "cpu": 20}
"""Passes over the training images, by schedule; the networks of the last pass are kept."""
BATCH = 8
"""Images of a training step."""
ADAPTOR_RATE = 1e-4
DISCRIMINATOR_RATE = 2e-4
DISCRIMINATOR_DECAY = 1e-5


class SimplenetSettings(DetectorSettings):
    """SimpleNet's settings, by default the published ones."""

    schedule: Literal["published", "cpu"] = "published"
    """How long it is trained: 160 passes, or 20, meant for ResNet-18 on a few cores."""
    noise: Annotated[float, Field(gt=0)] = 0.015
    """Standard deviation of the noise that makes a feature anomalous."""
    margin: Annotated[float, Field(gt=0)] = 0.5
    """The loss asks no more than this of a feature's score (equation 7's th)."""
    hidden: Annotated[int, Field(ge=1)] = 1024
    """Width of the discriminator."""


class Simplenet(FeatureDetector):
    """Features of section 3.1, adaptor of 3.2, noise of 3.3, discriminator of 3.4.

    All patches of the training images are kept in memory while it is fitted.
    """

    method = "simplenet"
    settings_type = SimplenetSettings
    stages = (2, 3)
    trains = True
    settings: SimplenetSettings

    def __init__(self, settings: SimplenetSettings, backbone: Backbone, device: torch.device) -> None:
        super().__init__(settings, backbone, device)
        self._network = _Network(sum(backbone.channels.values()), settings.hidden).to(device)
        self._enlarge = MapEnlarger(self._side(), settings.image_size, settings.smoothing, device)

    def _fit(self, fitting: Fitting) -> State:
        with torch.no_grad():
            batches = [neighbourhood_patches(each) for each in self._training_features(fitting)]
        self._train(torch.cat(batches), fitting)
        return {name: tensor.clone() for name, tensor in self._network.state_dict().items()}

    def _prepare(self, state: State) -> None:
        self._network.load_state_dict(state)
        self._network.eval()

    def _score_features(self, features: Features) -> tuple[Tensor, Tensor]:
        """A patch's anomaly score is minus the discriminator's (equation 8), the image's is the largest."""
        patches = neighbourhood_patches(features)
        images, locations, channels = patches.shape
        scores = -self._network(patches.view(-1, channels)).view(images, locations)
        return scores.amax(1), self._enlarge(scores.view(images, self._side(), self._side()))

    def _train(self, patches: Tensor, fitting: Fitting) -> None:
        """``patches``: (images, locations, D)."""
        seed = fitting.seed
        generator = torch.Generator(self.device).manual_seed(Stream(seed, 0, "simplenet").integer(0, 2**53))
        self._network.initialise(generator)
        self._network.train()
        optimizers = (
            torch.optim.AdamW(self._network.adaptor.parameters(), ADAPTOR_RATE),
            torch.optim.Adam(
                self._network.discriminator.parameters(),
                DISCRIMINATOR_RATE,
                weight_decay=DISCRIMINATOR_DECAY,
            ),
        )
        in_a_pass = -(-len(patches) // BATCH)

        def loss(step: int, generator: torch.Generator) -> Tensor:
            number, position = divmod(step, in_a_pass)
            order = Stream(seed, number, "order of images").permutation(len(patches))
            batch = order[position * BATCH : (position + 1) * BATCH]
            return self._loss(patches[batch].flatten(0, 1), generator)

        steps = PASSES[self.settings.schedule] * in_a_pass
        train({"network": self._network}, optimizers, loss, steps, fitting, device=self.device)

    def _loss(self, patches: Tensor, generator: torch.Generator) -> Tensor:
        """Equations 6 and 7: both kinds of features go through the discriminator together."""
        normal = self._network.adaptor(patches)
        noise = torch.empty_like(normal, requires_grad=False).normal_(
            0, self.settings.noise, generator=generator
        )
        scores = self._network.discriminator(torch.cat([normal, normal + noise]))
        of_normal, of_anomalous = scores.chunk(2)
        margin = self.settings.margin
        return functional.relu(margin - of_normal).mean() + functional.relu(margin + of_anomalous).mean()


class _Network(nn.Module):
    """Feature adaptor and discriminator; high scores mean normal."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.adaptor = _linear(channels, channels)
        self.discriminator = nn.Sequential(
            _linear(channels, hidden),
            nn.BatchNorm1d(hidden),
            nn.LeakyReLU(0.2),
            _linear(hidden, 1, bias=False),
        )

    def initialise(self, generator: torch.Generator) -> None:
        """Start afresh: Glorot's normal weights, as published, and zero biases."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_normal_(module.weight, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm1d):
                module.reset_parameters()

    def forward(self, patches: Tensor) -> Tensor:
        """Scores (N, 1) of patches (N, D)."""
        return self.discriminator(self.adaptor(patches))


def _linear(channels: int, width: int, bias: bool = True) -> nn.Linear:
    # Made on the meta device, because there its initialisation does not draw from the global generator.
    return nn.Linear(channels, width, bias, device="meta").to_empty(device="cpu")
