"""Brightness, contrast, saturation and hue changed a little, at random."""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in an image's grey."""


class Jitter(NamedTuple):
    """How much each varies, as shares; the hue as one of the full circle."""

    brightness: float
    contrast: float
    saturation: float
    hue: float


def jittered(images: Tensor, jitter: Jitter, generator: Generator) -> Tensor:
    """Images (B, 3, H, W) in [0, 1], each with its brightness, contrast, saturation and hue changed.

    In this order. The hue is turned about the axis of the greys, which keeps the mean of the three channels.
    """
    return changed(images, drawn_changes(len(images), jitter, generator).to(images.device))


def drawn_changes(count: int, jitter: Jitter, generator: Generator) -> Tensor:
    """For each of ``count`` images, how its brightness, contrast, saturation and hue change, (4, count)."""
    drawn = torch.rand(4, count, generator=generator, device=generator.device)
    return torch.stack([(2 * each - 1) * most for each, most in zip(drawn, jitter, strict=True)])


def changed(images: Tensor, changes: Tensor) -> Tensor:
    """Images (B, 3, H, W) in [0, 1] with the changes (4, B) that `drawn_changes` gives."""
    drawn = changes[..., None, None, None]
    images = (images * (1 + drawn[0])).clamp(0, 1)
    mean = grey_of(images).mean((2, 3), keepdim=True)
    images = (mean + (images - mean) * (1 + drawn[1])).clamp(0, 1)
    grey = grey_of(images)
    images = (grey + (images - grey) * (1 + drawn[2])).clamp(0, 1)
    turn = _turns(2 * math.pi * changes[3])
    return torch.einsum("bij,bjhw->bihw", turn, images).clamp(0, 1)


def grey_of(images: Tensor) -> Tensor:
    """The grey (B, 1, H, W) of images (B, 3, H, W)."""
    weights = torch.tensor(GREY, device=images.device).view(3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def _turns(angles: Tensor) -> Tensor:
    """(B, 3, 3): turns about the axis (1, 1, 1), by Rodrigues' formula."""
    third = torch.full((3, 3), 1 / 3, device=angles.device)
    across = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=angles.device) / math.sqrt(3)
    identity = torch.eye(3, device=angles.device)
    cosine, sine = angles.cos().view(-1, 1, 1), angles.sin().view(-1, 1, 1)
    return cosine * identity + sine * across + (1 - cosine) * third
