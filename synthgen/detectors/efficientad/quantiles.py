"""Exact quantiles of any number of values, and the scale that they put an anomaly map on (section 3.4)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

LOWER, UPPER = 0.9, 0.995
"""The quantiles of a normal map that are put to 0 and to 0.1."""
AT_UPPER = 0.1


def exact_quantile(values: Tensor, share: float) -> Tensor:
    """The quantile of all values together, interpolated linearly between the two nearest, a scalar tensor.

    As torch.quantile, which refuses more than 2 ** 24 values.
    """
    values = values.flatten()
    position = share * (len(values) - 1)
    below = math.floor(position)
    lower = values.kthvalue(below + 1).values
    if position == below:
        return lower
    return torch.lerp(lower, values.kthvalue(below + 2).values, position - below)


class MapScale(NamedTuple):
    """What is taken off a map, and what it is multiplied by."""

    shift: Tensor
    factor: Tensor

    @classmethod
    def of(cls, normal_maps: Tensor) -> "MapScale":
        """The scale by the maps (any shape) of normal images.

        Maps that are the same everywhere, as constant images give them, have no scale and stay as they are.
        """
        lower, upper = (exact_quantile(normal_maps, share) for share in (LOWER, UPPER))
        spread = upper - lower
        return cls(lower, torch.where(spread > 0, AT_UPPER / spread, torch.ones_like(spread)))

    def __call__(self, maps: Tensor) -> Tensor:
        """Maps of any shape, scaled."""
        return (maps - self.shift) * self.factor
