"""From a network's raw output to the image it predicts and the variance of the step down."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from torch import Tensor

from synthgen.diffusion.schedule import Level
from synthgen.diffusion.scheduler_config import PredictionType, read_scheduler_config
from synthgen.errors import InputError

VarianceType = Literal["fixed_small", "fixed_large", "learned_range"]

_VARIANCE_TYPES: dict[str, VarianceType] = {
    "fixed_small": "fixed_small",
    "fixed_small_log": "fixed_small",
    "fixed_large": "fixed_large",
    "fixed_large_log": "fixed_large",
    "learned_range": "learned_range",
}
"""Of diffusers' names: the logarithms mean the same variances."""


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """What the numbers that a network gives mean."""

    prediction_type: PredictionType
    """The noise, v (Salimans & Ho, ICLR 2022, section 4), or the image."""
    variance_type: VarianceType
    """Sigma: the posterior variance, beta, or learned between them."""
    clip: float | None
    """Largest magnitude of the predicted image, or None where it is not bounded."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "NetworkOutput":
        """Of a diffusers scheduler_config.json. Raises InputError for one that is not supported."""
        read = read_scheduler_config(config)
        clip = read.clip_sample_range if read.clip_sample else None
        return cls(read.prediction_type, _VARIANCE_TYPES[read.variance_type], clip)


class Predicted(NamedTuple):
    """What a network says at one level."""

    original: Tensor
    """The image x_0, (B, C, H, W) float32."""
    deviation: Tensor | float
    """Root of Sigma, (B, C, H, W) float32 where it is learned; 0 at the last level, which adds no noise."""


def predict(output: Tensor, x: Tensor, level: Level, kind: NetworkOutput) -> Predicted:
    """What the raw output, (B, C, H, W) or (B, 2C, H, W) if Sigma is learned, says of x (B, C, H, W) float32.

    Raises InputError for another number of channels.
    """
    channels = x.shape[1]
    expected = 2 * channels if kind.variance_type == "learned_range" else channels
    if output.shape[1] != expected:
        raise InputError(
            f"the network gives {output.shape[1]} channels for images of {channels}; its scheduler's "
            f"variance {kind.variance_type} expects {expected}; use the scheduler it was trained with"
        )
    output = output.float()
    original = _original(output[:, :channels], x, level, kind.prediction_type)
    if kind.clip is not None:
        original = original.clamp(-kind.clip, kind.clip)
    return Predicted(original, _deviation(output[:, channels:], level, kind.variance_type))


def _original(output: Tensor, x: Tensor, level: Level, prediction_type: PredictionType) -> Tensor:
    signal, noise = math.sqrt(level.alpha_bar), math.sqrt(1 - level.alpha_bar)
    if prediction_type == "epsilon":
        return (x - noise * output) / signal
    if prediction_type == "v_prediction":
        return signal * x - noise * output
    return output


def _deviation(interpolation: Tensor, level: Level, variance_type: VarianceType) -> Tensor | float:
    if level.is_last:
        return 0.0
    if variance_type == "fixed_small":
        return math.sqrt(level.posterior_variance)
    if variance_type == "fixed_large":
        return math.sqrt(level.beta)
    # Nichol & Dhariwal, ICML 2021, eq. 15; the network gives v in [-1, 1], and half a log variance is wanted.
    low, high = math.log(level.posterior_variance), math.log(level.beta)
    return ((low + high) / 4 + (high - low) / 4 * interpolation).exp()
