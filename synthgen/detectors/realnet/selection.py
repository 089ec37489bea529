"""Anomaly-aware feature selection (AFS, section 3.2): channels whose change shows where the anomaly is."""

import torch
from torch import Tensor
from torch.nn import functional

from synthgen.streams import Stream

EPSILON = 1e-4
"""Keeps the normalisation of a channel that did not change finite."""


class ChannelErrors:
    """How badly each channel of a stage shows where anomalies are, added up over batches."""

    def __init__(self) -> None:
        self._sum: Tensor | None = None

    def add(self, anomalous: Tensor, normal: Tensor, masks: Tensor) -> None:
        """``anomalous``, ``normal``: (B, C, H, W) features of samples and of the good products that they were
        made of; ``masks``: (B, H, W) bool, where the anomalies are.

        A channel's error is the mean squared difference of the masks from the squared change of its features,
        which is brought to 0 … 1 over the whole batch.
        """
        change = (anomalous.float() - normal.float()).square()
        lowest, highest = change.amin((0, 2, 3), keepdim=True), change.amax((0, 2, 3), keepdim=True)
        shown = (change - lowest) / (highest - lowest + EPSILON)
        errors = (shown - masks[:, None].float()).square().double().mean((0, 2, 3))
        self._sum = errors if self._sum is None else self._sum + errors

    def best(self, count: int) -> Tensor:
        """The ``count`` channels of the least error, ascending by number; of equals the first are taken.

        At least one batch was added.
        """
        assert self._sum is not None
        return torch.argsort(self._sum, stable=True)[:count].sort().values


def random_channels(count: int, channels: int, stage: int, seed: int) -> Tensor:
    """As many channels at random, ascending, to compare the selection with."""
    return torch.tensor(sorted(Stream(seed, stage, "channels of a stage").distinct(channels, count)))


def masks_on_grid(masks: Tensor, side: int) -> Tensor:
    """Masks (B, H, W) bool at the places of features, by the nearest pixel; small anomalies may vanish."""
    return functional.interpolate(masks[:, None].float(), (side, side), mode="nearest")[:, 0] > 0


def resized(maps: Tensor, side: int) -> Tensor:
    """(B, C, H, W) brought to (B, C, side, side), linearly between the centres of the places.

    The published code aligns the corners instead, which shifts the stages against each other.
    """
    if maps.shape[-1] == side:
        return maps
    return functional.interpolate(maps, (side, side), mode="bilinear", align_corners=False)
