"""The network that tells from the residuals where an anomaly is (section 3.3)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthgen.detectors.common.backbone import blank

FINEST = 4
"""Channels at the doubled size."""


class Discriminator(nn.Module):
    """Residuals in, logits of normal and anomalous out at twice their size. Not initialised."""

    def __init__(self, channels: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        wide, middle, narrow = widths
        self.residual = nn.ModuleList(_residual_layer(channels) for _ in range(2))
        self.narrowing = nn.Sequential(
            nn.ReLU(),
            _convolution(channels, wide),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
            _convolution(wide, middle),
            nn.ReLU(),
            _convolution(middle, narrow),
            nn.ReLU(),
        )
        self.judging = nn.Sequential(_convolution(narrow, FINEST), nn.ReLU(), _convolution(FINEST, 2))

    def forward(self, residuals: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 2, 2 H, 2 W)."""
        x = residuals
        for layer in self.residual:
            x = x + layer(x)
        x = self.narrowing(x)
        return self.judging(functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))


def anomalous_share(logits: Tensor) -> Tensor:
    """The probability (B, H, W) of an anomaly: the second of the softmax of (B, 2, H, W)."""
    return torch.softmax(logits, 1)[:, 1]


def _residual_layer(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        _convolution(channels, channels, bias=False),
        nn.ReLU(),
        blank(nn.Conv2d, channels, channels, 1, bias=False),
    )


def _convolution(channels: int, width: int, bias: bool = True) -> nn.Conv2d:
    return blank(nn.Conv2d, channels, width, 3, padding=1, bias=bias)
