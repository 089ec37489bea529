"""The network that reconstructs a normal product's features: a UNet as diffusion models have, without time.

Group norm with 32 groups and attention heads of 64 channels fix the least width: 32 at the finest level, and
64 where attention is.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthgen.detectors.common.backbone import blank
from synthgen.detectors.realnet.settings import GROUPS

HEAD_CHANNELS = 64
"""Channels of an attention head."""


class ReconstructionNetwork(nn.Module):
    """Features in, those of the same product without anomalies out; there is no shortcut around it.

    Attention is at every level but the finest, and in the middle. Parameters are not initialised.
    """

    def __init__(self, channels: int, width: int, multipliers: tuple[int, ...], depth: int) -> None:
        super().__init__()
        widths = [width * multiplier for multiplier in multipliers]
        self.first = blank(nn.Conv2d, channels, width, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips, current = [width], width
        for level, wide in enumerate(widths):
            for _ in range(depth):
                self.down.append(_Stage(current, wide, attends=level > 0))
                current = wide
                skips.append(current)
            if level < len(widths) - 1:
                self.down.append(_Stage(current, current, resampling="halve"))
                skips.append(current)
        self.middle = nn.Sequential(_Stage(current, current, attends=True), _Stage(current, current))
        for level, wide in reversed(list(enumerate(widths))):
            for position in range(depth + 1):
                resampling = "double" if level and position == depth else None
                self.up.append(_Stage(current + skips.pop(), wide, attends=level > 0))
                current = wide
                if resampling:
                    self.up.append(_Stage(current, current, resampling=resampling))
        self.norm = nn.GroupNorm(GROUPS, current)
        self.output = blank(nn.Conv2d, current, channels, 3, padding=1)

    def begin_at_zero(self) -> None:
        """Let it begin with reconstructions of zero, and without attention."""
        for module in self.modules():
            if isinstance(module, _Attention):
                nn.init.zeros_(module.output.weight)
        nn.init.zeros_(self.output.weight)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        x = self.first(features)
        skips = [x]
        for stage in self.down:
            x = stage(x)
            skips.append(x)
        x = self.middle(x)
        for stage in self.up:
            if stage.resampling:
                # Halving rounds up, so that doubling may give a row and a column too much.
                height, width = skips[-1].shape[2:]
                x = stage(x)[..., :height, :width]
            else:
                x = stage(torch.cat([x, skips.pop()], 1))
        return self.output(functional.silu(self.norm(x)))


class _Stage(nn.Module):
    """A residual block of one convolution, which may halve or double the size, and attention after it."""

    def __init__(
        self, channels: int, width: int, *, attends: bool = False, resampling: str | None = None
    ) -> None:
        super().__init__()
        self.resampling = resampling
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.resample, self.resample_shortcut = (
            _resampler(channels, resampling),
            _resampler(channels, resampling),
        )
        self.convolution = blank(nn.Conv2d, channels, width, 3, padding=1)
        self.shortcut = nn.Identity() if channels == width else blank(nn.Conv2d, channels, width, 1)
        self.attention = _Attention(width) if attends else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        inner = self.convolution(self.resample(functional.silu(self.norm(x))))
        return self.attention(self.shortcut(self.resample_shortcut(x)) + inner)


class _Attention(nn.Module):
    """Every place looks at every other one; its last layer begins at zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.inputs = blank(nn.Conv2d, channels, 3 * channels, 1)
        self.output = blank(nn.Conv2d, channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        images, channels, height, width = x.shape
        parts = self.inputs(self.norm(x)).view(images, 3, channels // HEAD_CHANNELS, HEAD_CHANNELS, -1).mT
        seen = functional.scaled_dot_product_attention(*parts.unbind(1))
        return x + self.output(seen.mT.reshape(images, channels, height, width))


def _resampler(channels: int, resampling: str | None) -> nn.Module:
    if resampling == "halve":
        return nn.AvgPool2d(2, ceil_mode=True)
    if resampling == "double":
        return blank(nn.ConvTranspose2d, channels, channels, 4, 2, 1)
    return nn.Identity()
