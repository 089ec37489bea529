"""Pictures as the networks see them, and those that are trained on beside the normal ones."""

import torch
from torch import Generator, Tensor
from torch.nn import functional

from synthgen.detectors.common.backbone import IMAGENET_DEVIATION, IMAGENET_MEAN

GREY = (0.299, 0.587, 0.114)
"""How much red, green and blue count for brightness (ITU-R BT.601)."""
FACTORS = (0.8, 1.2)
GREY_SHARE = 0.3
"""How often a picture of the penalty is grey."""
GRIDS = (2, 4, 8, 16, 32, 64)
"""Cells a side of the noise that textures are made of."""


def normalised(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) by ImageNet's mean and deviation, as the networks see them."""
    mean, deviation = (
        torch.tensor(each, device=images.device).view(3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_DEVIATION)
    )
    return (images - mean) / deviation


def recoloured(images: Tensor, generator: Generator) -> Tensor:
    """Images (B, 3, H, W) with one of brightness, contrast and saturation changed (section 3.3)."""
    count, device = len(images), images.device
    grey = _grey(images)
    towards = torch.stack(
        [
            torch.zeros_like(images),
            grey.mean((1, 2, 3), keepdim=True).expand_as(images),
            grey.expand_as(images),
        ]
    )
    chosen = torch.randint(3, (count,), generator=generator, device=device)
    other = towards[chosen, torch.arange(count, device=device)]
    factors = torch.empty(count, 1, 1, 1, device=device).uniform_(*FACTORS, generator=generator)
    return torch.lerp(other, images, factors).clamp(0, 1)


def textures(count: int, side: int, generator: Generator) -> Tensor:
    """Pictures (count, 3, side, side) in [0, 1] that stand in for ImageNet's, which are not at hand.

    Two coloured textures, each of noise at several scales, lie side by side with a sharp border between.
    """
    first, second = (_noise(count, 3, side, generator) for _ in range(2))
    border = _noise(count, 1, side, generator) > 0.5
    pictures = torch.where(border, first, second)
    are_grey = torch.rand(count, 1, 1, 1, generator=generator, device=generator.device) < GREY_SHARE
    return torch.where(are_grey, _grey(pictures).expand_as(pictures), pictures)


def _grey(images: Tensor) -> Tensor:
    """(B, 1, H, W) of (B, 3, H, W)."""
    weights = torch.tensor(GREY, device=images.device).view(3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def _noise(count: int, channels: int, side: int, generator: Generator) -> Tensor:
    """Noise (count, channels, side, side) from 0 to 1, some of it coarse and some fine."""
    device = generator.device
    total = torch.zeros(count, channels, side, side, device=device)
    for cells in GRIDS:
        grid = torch.randn(count, channels, cells, cells, generator=generator, device=device)
        weight = torch.rand(count, 1, 1, 1, generator=generator, device=device)
        total += weight * functional.interpolate(grid, (side, side), mode="bilinear")
    lowest, highest = (extreme.view(count, 1, 1, 1) for extreme in total.flatten(1).aminmax(dim=1))
    return (total - lowest) / (highest - lowest)
