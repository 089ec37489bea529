"""What Perlin fields are computed with: numpy's arrays on the CPU, and torch's on another device.

Only additions, multiplications, comparisons and look-ups happen there, each a separate operation that
IEEE 754 defines to the last bit, so that a field is the same on every device and in every batch.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

AnyArray: TypeAlias = Any
"""A numpy array on the CPU, a torch tensor on another device: what is written means the same for both."""


def fade(t: AnyArray) -> AnyArray:
    """6 t^5 - 15 t^4 + 10 t^3 (Perlin, SIGGRAPH 2002), in the order of operations that ``noise`` has."""
    return t * t * t * (t * (t * 6 - 15) + 10)


def mix(first: AnyArray, second: AnyArray, weight: AnyArray) -> AnyArray:
    """``first + (second - first) * weight``, written over ``second``."""
    # Not torch.lerp: devices differ in whether they fuse its multiplication and addition.
    second -= first
    second *= weight
    second += first
    return second


def put(values: npt.NDArray[Any], device: Any) -> AnyArray:
    """Values on a device."""
    if device == "cpu":
        return values
    import torch

    return torch.from_numpy(values).to(device)


def fetched(values: AnyArray) -> npt.NDArray[Any]:
    """Values as a numpy array."""
    return values if isinstance(values, np.ndarray) else np.asarray(values.cpu().numpy())


def repeated(values: AnyArray, times: int) -> AnyArray:
    """Each value of the last axis so many times."""
    if isinstance(values, np.ndarray):
        return np.repeat(values, times, axis=-1)
    return values.repeat_interleave(times, dim=-1)


def tiled(values: AnyArray, times: int) -> AnyArray:
    """All of the values (N,) so many times."""
    return np.tile(values, times) if isinstance(values, np.ndarray) else values.repeat(times)


def functions_of(values: AnyArray) -> Any:
    """The module whose functions take such values."""
    if isinstance(values, np.ndarray):
        return np
    import torch

    return torch


def whole(numbers: AnyArray) -> AnyArray:
    """Whole numbers (float32) as integers, with which torch.take looks up."""
    return numbers.astype(np.int64) if isinstance(numbers, np.ndarray) else numbers.long()
