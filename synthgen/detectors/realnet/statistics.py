"""Mean and standard deviation of every channel of the normal images' features."""

from collections.abc import Iterable

import torch
from torch import Tensor

from synthgen.detectors.common.features import Features

LEAST = 0.05
"""A channel's deviation is at least this share of its stage's mean one: what hardly ever changes on normal
images would outshine all else as soon as it does."""
TINY = 1e-6


def channel_statistics(batches: Iterable[Features]) -> dict[int, tuple[Tensor, Tensor]]:
    """By stage: means and deviations (C,) over all images and places, float32, of at least one batch."""
    count = dict[int, int]()
    sums = dict[int, Tensor]()
    squares = dict[int, Tensor]()
    for features in batches:
        for stage, values in features.items():
            exact = values.double()
            count[stage] = count.get(stage, 0) + exact[:, 0].numel()
            sums[stage] = sums.get(stage, torch.zeros(())) + exact.sum((0, 2, 3)).cpu()
            squares[stage] = squares.get(stage, torch.zeros(())) + exact.square().sum((0, 2, 3)).cpu()
    return {stage: _moments(count[stage], sums[stage], squares[stage]) for stage in count}


def _moments(count: int, total: Tensor, squares: Tensor) -> tuple[Tensor, Tensor]:
    mean = total / count
    deviation = (squares / count - mean.square()).clamp_min(0).sqrt()
    return mean.float(), deviation.clamp_min(max(LEAST * float(deviation.mean()), TINY)).float()
