"""Strength-controllable sampling, SDAS (RealNet, Zhang et al., CVPR 2024): whole images, or a part of one.

Images x are (B, C, H, W) float32, in [-1, 1] when free of noise. Strengths are 0 or more; 0 samples what is
normal. Apart from the network every operation works on each value by itself, so that no sample depends on its
batch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from synthgen.diffusion.prediction import NetworkOutput, Predicted, predict
from synthgen.diffusion.schedule import Level, Schedule

Network: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Images (B, C, H, W) and timesteps (B,) int64 to the raw output, (B, C, H, W) or (B, 2C, H, W)."""

NoiseSource: TypeAlias = Callable[[int], Tensor]
"""Unit Gaussian noise (B, C, H, W) float32 of draw 0, 1 … N - 1, each asked for once, in order.

Draw 0 is the noise to begin with, draw k + 1 that of step k; the last of N steps adds none.
"""

Step: TypeAlias = Callable[[Tensor, Predicted, Level, Tensor, Tensor], Tensor]
"""One step down: x, what the network says of it, its level, the strength and the noise, to the next x."""

Profile: TypeAlias = Literal["constant", "early", "late"]


@dataclass(frozen=True, slots=True)
class ReverseProcess:
    """p(x_{t-1} | x_t) of a network: how it is asked at which levels, and how it answers."""

    network: Network
    schedule: Schedule
    network_output: NetworkOutput

    def predict(self, x: Tensor, level: Level) -> Predicted:
        """What the network says of x at a level."""
        timesteps = torch.full((x.shape[0],), level.timestep, dtype=torch.int64, device=x.device)
        return predict(self.network(x, timesteps), x, level, self.network_output)


def q_sample(original: Tensor, alpha_bar: float, noise: Tensor) -> Tensor:
    """x_t ~ q(x_t | x_0) (DDPM, Ho et al., NeurIPS 2020, eq. 4)."""
    return math.sqrt(alpha_bar) * original + math.sqrt(1 - alpha_bar) * noise


def posterior_mean(x: Tensor, original: Tensor, level: Level) -> Tensor:
    """The mean of q(x_{t-1} | x_t, x_0) (DDPM, eq. 7); x_0 itself at the last level."""
    of_original = math.sqrt(level.alpha_bar_previous) * level.beta / (1 - level.alpha_bar)
    of_x = math.sqrt(level.alpha) * (1 - level.alpha_bar_previous) / (1 - level.alpha_bar)
    return of_original * original + of_x * x


def ancestral_step(x: Tensor, predicted: Predicted, level: Level, strength: Tensor, noise: Tensor) -> Tensor:
    """x_{t-1} ~ N(mean, (1 + s) Sigma), RealNet's SDAS; s = 0 is DDPM, algorithm 2.

    ``strength`` broadcasts to x: (B, 1, 1, 1), or a map (B, 1, H, W). The last level adds no noise.
    """
    return posterior_mean(x, predicted.original, level) + (1 + strength).sqrt() * predicted.deviation * noise


def ddim_step(x: Tensor, predicted: Predicted, level: Level, strength: Tensor, noise: Tensor) -> Tensor:
    """x_{t-1} ~ N(DDIM's mean, s Sigma), RealNet's variant; s = 0 is DDIM (Song et al., ICLR 2021, eq. 12).

    The mean is that of eta = 0, with the noise that belongs to the bounded predicted image. All its noise
    comes from s, of which RealNet takes 0.01 to 0.03.
    """
    noise_in_x = (x - math.sqrt(level.alpha_bar) * predicted.original) / math.sqrt(1 - level.alpha_bar)
    mean = q_sample(predicted.original, level.alpha_bar_previous, noise_in_x)
    return mean + strength.sqrt() * predicted.deviation * noise


@torch.inference_mode()
def sample(
    process: ReverseProcess, noise: NoiseSource, strengths: Tensor, step: Step = ancestral_step
) -> Tensor:
    """Images (B, C, H, W) out of noise; ``strengths`` (N, B) float32 of every step and sample."""
    return _descend(process, noise(0), noise, strengths, step)


@torch.inference_mode()
def sample_inside(
    process: ReverseProcess, noise: NoiseSource, strengths: Tensor, original: Tensor, weight: Tensor
) -> Tensor:
    """``original`` (B, C, H, W), noised to the first level and sampled anew with ``weight`` (B, 1, H, W).

    ``weight`` in [0, 1] is the share of what is sampled: the original is kept exactly where it is 0.

    The real image goes down beside the sampled one by q(x_{t-1} | x_t, x_0) of its true x_0, with the noise
    of the sampled step. RePaint (Lugmayr et al., CVPR 2022, eq. 8a) noises it afresh at every step, which is
    right on either side; but a border band that mixes independent noises has too little noise for its level,
    and the network takes it for a smooth place. Mixed here, it has exactly its level's noise (at s = 0, with
    the posterior's Sigma).
    """

    def held_step(x: Tensor, predicted: Predicted, level: Level, strength: Tensor, draw: Tensor) -> Tensor:
        real = posterior_mean(x, original, level) + math.sqrt(level.posterior_variance) * draw
        return _mixed(ancestral_step(x, predicted, level, strength, draw), real, weight)

    start = q_sample(original, process.schedule.levels[0].alpha_bar, noise(0))
    return _mixed(_descend(process, start, noise, strengths, held_step), original, weight)


def strength_over_time(strength: Tensor, schedule: Schedule, profile: Profile) -> Tensor:
    """The strengths (N, B) of samples of mean strength (B,) over the steps that add noise, all but the last.

    ``early`` falls in a line from twice the mean to 0, ``late`` rises from 0 to twice the mean.
    """
    ramp = torch.ones(len(schedule), dtype=strength.dtype, device=strength.device)
    noisy = len(schedule) - 1
    if profile != "constant" and noisy > 1:
        first, last = (2, 0) if profile == "early" else (0, 2)
        ramp[:noisy] = torch.linspace(first, last, noisy, dtype=strength.dtype, device=strength.device)
    return ramp[:, None] * strength


def _descend(process: ReverseProcess, x: Tensor, noise: NoiseSource, strengths: Tensor, step: Step) -> Tensor:
    """From x at the first level to the image that is predicted at the last, the mean of the last step."""
    *levels, last = process.schedule.levels
    expected = (len(levels) + 1, x.shape[0])
    if strengths.shape != expected:
        raise ValueError(f"strengths are {tuple(strengths.shape)}; expected {expected}, steps by samples")
    for number, level in enumerate(levels):
        strength = strengths[number].reshape(-1, 1, 1, 1)
        x = step(x, process.predict(x, level), level, strength, noise(number + 1))
    return process.predict(x, last).original


def _mixed(sampled: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    return weight * sampled + (1 - weight) * real
