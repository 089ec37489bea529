"""Packing squares of pixels into channels, so that a network works at a fraction of the resolution."""

from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle


def packed(images: Tensor, side: int) -> Tensor:
    """(B, C, H, W) as (B, C * side², H / side, W / side)."""
    return pixel_unshuffle(images, side) if side > 1 else images


def unpacked(images: Tensor, side: int) -> Tensor:
    """The inverse of ``packed``."""
    return pixel_shuffle(images, side) if side > 1 else images
