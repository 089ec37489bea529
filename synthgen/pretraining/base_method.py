"""What every base method is: an encoder with heads, and a loss that makes two views of an image alike."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from torch import Generator, Tensor, nn

from synthgen.detectors.common.backbone import Backbone, blank


class BaseLoss(NamedTuple):
    """What a base method says of a batch."""

    value: Tensor
    """Scalar."""
    outputs: Tensor
    """(N, D): what the method compares, by which a collapse is seen."""


class Encoder(nn.Module):
    """A backbone's last stage, averaged over the image, and a projection of that."""

    def __init__(self, backbone: Backbone, projector: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.projector = projector

    def features(self, images: Tensor) -> Tensor:
        """Mean features (B, C) float32 of images (B, 3, H, W)."""
        found: Tensor = self.backbone(images)[self.backbone.stages[-1]]
        return found.float().mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Projections (B, D) float32 of images (B, 3, H, W)."""
        projected: Tensor = self.projector(self.features(images))
        return projected.float()


class BaseMethod(nn.Module, ABC):
    """Trains an encoder by two views of each image."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    @abstractmethod
    def forward(self, first: Tensor, second: Tensor, numbers: Tensor) -> BaseLoss:
        """The loss of two views (B, 3, H, W) of the same images, whose numbers are (B,) int64."""

    def after_update(self, done: int) -> None:
        """What follows an update, of which ``done`` were made."""

    @property
    def at_constant_rate(self) -> Sequence[nn.Parameter]:
        """The parameters whose learning rate does not fall."""
        return []


def channels_of(backbone: Backbone) -> int:
    """Width of a backbone's mean features."""
    return backbone.channels[backbone.stages[-1]]


def mlp(widths: Sequence[int], *, last_norm: bool = False) -> nn.Sequential:
    """Linear layers of these widths with batch norm and ReLU between; not initialised.

    ``last_norm`` ends it with a batch norm without parameters. A bias that a norm would take away is not
    there.
    """
    layers: list[nn.Module] = []
    for position, (wide, wider) in enumerate(pairwise(widths)):
        is_last = position == len(widths) - 2
        layers.append(blank(nn.Linear, wide, wider, bias=is_last and not last_norm))
        if not is_last:
            layers += [nn.BatchNorm1d(wider), nn.ReLU(inplace=True)]
    if last_norm:
        layers.append(nn.BatchNorm1d(widths[-1], affine=False))
    return nn.Sequential(*layers)


def initialise(head: nn.Module, generator: Generator) -> None:
    """Start a head afresh: He's normal weights and zero biases."""
    for module in head.modules():
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
