"""Between images of bytes and what a network takes."""

import numpy as np
import torch

from synthgen.images.pixels import Pixels


def to_network(images: Pixels, device: torch.device | str = "cpu") -> torch.Tensor:
    """Images (B, H, W, C) uint8 as (B, C, H, W) float32 in [-1, 1]."""
    bytes_there = torch.from_numpy(images).to(device)
    return bytes_there.permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1


def from_network(images: torch.Tensor) -> Pixels:
    """Images (B, C, H, W) in [-1, 1], clamped and rounded, as (B, H, W, C) uint8."""
    levels = ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(levels.cpu().numpy().transpose(0, 2, 3, 1))
