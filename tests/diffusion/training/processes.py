"""Noise, networks and bounds that the sampler's tests share."""

import math
from collections.abc import Callable

import torch
from scipy.stats import chi2
from torch import Tensor

SHAPE = (2, 3, 8, 8)
VARIANCES = ("fixed_small", "fixed_large", "learned_range")

PIXELS = (1, 1, 200, 200)
"""An image whose values are independent of each other."""
CHANCE = 1e-7
"""Of a correct sampler to miss one bound, were the seeds not fixed."""


def unit_noise(seed: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def noise_source(seed: int, shape: tuple[int, ...] = SHAPE) -> Callable[[int], Tensor]:
    return lambda number: unit_noise(1000 * seed + number, shape)


def mixing_network(learned: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """A network without batch effects of its own."""

    def network(x: Tensor, timesteps: Tensor) -> Tensor:
        output = torch.where(x > 0, x, x / 4) * (1 - timesteps.reshape(-1, 1, 1, 1) / 2000)
        return torch.cat([output, output.flip(2).clamp(-1, 1)], dim=1) if learned else output

    return network


def variance_bounds(variance: float) -> tuple[float, float]:
    """Where the variance of so many independent Gaussians of this variance lies."""
    freedom = math.prod(PIXELS) - 1
    low, high = chi2.ppf([CHANCE / 2, 1 - CHANCE / 2], freedom)
    return variance * low / freedom, variance * high / freedom
