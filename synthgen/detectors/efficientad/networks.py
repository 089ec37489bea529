"""The networks of section 3: patch description network and autoencoder, at any size of image."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from synthgen.detectors.common.backbone import blank

DROPOUT = 0.2
DECODER_SHARES = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Sides that the decoder enlarges to, as shares of the picture's side."""
DECODER_OFFSETS = (-1, 0, -1, 0, -1, -1)
"""What is added to them: at 256 pixels they are 3, 8, 15, 32, 63 and 127, as published."""


class Convolution(NamedTuple):
    """A convolution of a patch description network, and what follows it."""

    channels: int | None
    """None: as many as the network gives out."""
    kernel: int
    pools: bool = False
    """Whether 2 x 2 means follow."""


class PatchDescriptionNetwork(nn.Sequential):
    """Convolutions with ReLU between them, each value a description of the patch around it (section 3.1).

    It is not padded unless ``pads`` says so, which needs odd kernels and keeps the size but for the pooling.
    Its parameters are not initialised.
    """

    def __init__(self, convolutions: Sequence[Convolution], outputs: int, pads: bool = False) -> None:
        layers: list[nn.Module] = []
        channels = 3
        for position, (width, kernel, pools) in enumerate(convolutions):
            padding = kernel // 2 if pads else 0
            layers.append(blank(nn.Conv2d, channels, width or outputs, kernel, padding=padding))
            channels = width or outputs
            if position < len(convolutions) - 1:
                layers.append(nn.ReLU())
            if pools:
                layers.append(nn.AvgPool2d(2))
        super().__init__(*layers)


class Autoencoder(nn.Module):
    """It sees the whole picture through one vector of ``width`` numbers (section 3.3).

    The encoder halves the picture five times, or until one pixel is left of a small one.
    ``side`` is the pictures', ``output_side`` that of what it gives; the published sizes are those of 256.
    Its parameters are not initialised.
    """

    def __init__(self, side: int, output_side: int, outputs: int, width: int = 64) -> None:
        super().__init__()
        widths = (3, width // 2, width // 2, width, width, width)
        layers: list[nn.Module] = []
        channels, left = 3, side
        for before, after in pairwise(widths):
            if left == 1:
                break
            layers += [blank(nn.Conv2d, before, after, 4, stride=2, padding=1), nn.ReLU()]
            left //= 2
            channels = after
        self.encoder = nn.Sequential(*layers, blank(nn.Conv2d, channels, width, left))
        sizes = zip(DECODER_SHARES, DECODER_OFFSETS, strict=True)
        self._sides = [max(1, int(side * share) + offset) for share, offset in sizes]
        self._output_side = output_side
        self.decoder = nn.ModuleList(blank(nn.Conv2d, width, width, 4, padding=2) for _ in self._sides)
        self.last = nn.Sequential(
            blank(nn.Conv2d, width, width, 3, padding=1),
            nn.ReLU(),
            blank(nn.Conv2d, width, outputs, 3, padding=1),
        )

    def forward(self, pictures: Tensor, generator: Generator | None = None) -> Tensor:
        """(B, outputs, output_side, output_side) of (B, 3, side, side); with a generator, with dropout."""
        x = self.encoder(pictures)
        for side, convolution in zip(self._sides, self.decoder, strict=True):
            x = functional.interpolate(x, (side, side), mode="bilinear")
            x = dropout(functional.relu(convolution(x)), generator)
        return self.last(functional.interpolate(x, (self._output_side,) * 2, mode="bilinear"))


def dropout(x: Tensor, generator: Generator | None) -> Tensor:
    """Dropout whose numbers are a generator's; none without one."""
    if generator is None:
        return x
    kept = torch.rand(x.shape, generator=generator, device=x.device) >= DROPOUT
    return x * kept / (1 - DROPOUT)


def initialise(network: nn.Module, generator: Generator) -> None:
    """Start afresh, with torch's own choice of weights and biases for convolutions."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, math.sqrt(5), generator=generator)
            assert module.bias is not None
            bound = module.weight[0].numel() ** -0.5
            nn.init.uniform_(module.bias, -bound, bound, generator=generator)
