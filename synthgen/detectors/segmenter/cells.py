"""Images and masks on the segmenter's grid of cells, of stride 8."""

import torch
from torch import Tensor
from torch.nn import functional

from synthgen.detectors.common.features import Features
from synthgen.images.grid import STRIDE


def side_of(image_size: int) -> int:
    """Cells along a side of an image."""
    return -(-image_size // STRIDE)


def cells_of(features: Features) -> Tensor:
    """A backbone's stages 1 to 3 in one tensor (B, C, height, width) float32, of stage 2's size.

    Stage 1, of stride 4, is averaged over the four places of a cell; stage 3, of stride 16, is interpolated
    bilinearly. A head that is given the four places apart learns the texture of its samples' edges, and finds
    less of what other recipes make.
    """
    fine, middle, coarse = (features[stage] for stage in (1, 2, 3))
    height, width = middle.shape[-2:]
    below, right = 2 * height - fine.shape[-2], 2 * width - fine.shape[-1]
    fine = functional.pad(fine, (0, right, 0, below), mode="replicate") if below or right else fine
    larger = functional.interpolate(coarse, (height, width), mode="bilinear")
    return torch.cat([functional.avg_pool2d(fine, 2), middle, larger], dim=1)


def labels_of(masks: Tensor, least: float) -> Tensor:
    """Which cells are anomalous, (B, height, width) bool: those that a mask (B, H, W) bool covers enough.

    ``least``: the share of a cell's area, above 0; what lies beyond the image's border is normal.
    """
    return cover_of(masks) >= least


def cover_of(masks: Tensor) -> Tensor:
    """The share of each cell that a mask (B, H, W) bool covers, (B, height, width) float32."""
    below, right = (-length % STRIDE for length in masks.shape[-2:])
    whole = functional.pad(masks.float(), (0, right, 0, below))
    return functional.avg_pool2d(whole[:, None], STRIDE)[:, 0]
