"""Images and masks on the segmenter's grid: cells of stride 8, each with four parts of stride 4."""

import torch
from torch import Tensor
from torch.nn import functional

from synthgen.detectors.common.features import Features

STRIDE = 8
"""Pixels between cells."""
PARTS = 2
"""A cell has this many parts a side, each with a label and a score of its own."""


def side_of(image_size: int) -> int:
    """Cells along a side of an image."""
    return -(-image_size // STRIDE)


def cells_of(features: Features) -> Tensor:
    """A backbone's stages 1 to 3 in one tensor (B, C, side, side) float32, nothing of them averaged away.

    Stage 1, of stride 4, is laid out by parts: each cell holds the channels of its four; stage 3, of stride
    16, is interpolated bilinearly.
    """
    fine, middle, coarse = (features[stage] for stage in (1, 2, 3))
    side = middle.shape[-1]
    missing = PARTS * side - fine.shape[-1]
    fine = functional.pad(fine, (0, missing, 0, missing), mode="replicate") if missing else fine
    return torch.cat(
        [
            functional.pixel_unshuffle(fine, PARTS),
            middle,
            functional.interpolate(coarse, (side, side), mode="bilinear"),
        ],
        dim=1,
    )


def channels_of(channels: dict[int, int]) -> int:
    """Channels of `cells_of`, by those of the stages."""
    return channels[1] * PARTS**2 + channels[2] + channels[3]


def labels_of(masks: Tensor, least: float) -> Tensor:
    """Which parts are anomalous, (B, 2 side, 2 side) bool: those that a mask (B, H, W) bool covers enough.

    ``least``: the share of a part's area, above 0; what lies beyond the image's border is normal.
    """
    side = side_of(masks.shape[-1])
    missing = side * STRIDE - masks.shape[-1]
    whole = functional.pad(masks.float(), (0, missing, 0, missing))
    return functional.avg_pool2d(whole[:, None], STRIDE // PARTS)[:, 0] >= least
