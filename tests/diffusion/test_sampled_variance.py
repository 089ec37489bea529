"""Samples of Gaussian data, where the ideal prediction is known: their variance follows its recursion."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from synthgen.diffusion.prediction import NetworkOutput
from synthgen.diffusion.sampler import ReverseProcess, sample
from synthgen.diffusion.schedule import schedule_from_config
from tests.diffusion.training.processes import CHANCE, PIXELS, VARIANCES, noise_source, variance_bounds

MEAN, DEVIATION = 0.2, 0.3
OUTPUT_OF_VARIANCE = 0.4
ALPHA_BAR = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))


@dataclass
class IdealNetwork:
    """The best prediction of the noise in independent values N(MEAN, DEVIATION²); keeps what it was shown."""

    learned: bool
    seen: list[Tensor] = field(default_factory=list)

    def __call__(self, x: Tensor, timesteps: Tensor) -> Tensor:
        self.seen.append(x.clone())
        alpha_bar = float(ALPHA_BAR[timesteps[0]])
        signal = math.sqrt(alpha_bar)
        share = signal * DEVIATION**2 / (alpha_bar * DEVIATION**2 + 1 - alpha_bar)
        original = MEAN + share * (x - signal * MEAN)
        noise = (x - signal * original) / math.sqrt(1 - alpha_bar)
        if not self.learned:
            return noise
        return torch.cat([noise, torch.full_like(noise, OUTPUT_OF_VARIANCE)], dim=1)


def recursion(variance: str, strengths: Sequence[float]) -> list[tuple[float, float]]:
    """Mean and variance of x at every level and of the result, from the equations alone."""
    steps = len(strengths)
    timesteps = [number * (1000 // steps) for number in reversed(range(steps))]
    moments = [(0.0, 1.0)]
    for (timestep, following), strength in zip(pairwise([*timesteps, None]), strengths, strict=True):
        now = ALPHA_BAR[timestep]
        then = 1.0 if following is None else ALPHA_BAR[following]
        beta = 1 - now / then
        posterior = (1 - then) / (1 - now) * beta
        to_original, to_x = math.sqrt(then) * beta / (1 - now), math.sqrt(now / then) * (1 - then) / (1 - now)
        share = math.sqrt(now) * DEVIATION**2 / (now * DEVIATION**2 + 1 - now)
        slope = to_original * share + to_x
        if following is None:
            sigma_squared = 0.0
        elif variance == "learned_range":
            weight = (OUTPUT_OF_VARIANCE + 1) / 2
            sigma_squared = beta**weight * posterior ** (1 - weight)
        else:
            sigma_squared = {"fixed_small": posterior, "fixed_large": beta}[variance]
        mean, spread = moments[-1]
        offset = to_original * (1 - share * math.sqrt(now)) * MEAN
        moments.append((slope * mean + offset, slope**2 * spread + (1 + strength) * sigma_squared))
    return moments


def trajectory(variance: str, strengths: Sequence[float]) -> list[Tensor]:
    """x at every level, and the result."""
    network = IdealNetwork(learned=variance == "learned_range")
    schedule = schedule_from_config({}, len(strengths))
    process = ReverseProcess(network, schedule, NetworkOutput("epsilon", variance, None))
    seed = round(1000 * strengths[0]) + VARIANCES.index(variance)
    result = sample(process, noise_source(seed, PIXELS), torch.tensor(strengths)[:, None])
    return [*network.seen, result]


def assert_follows_the_recursion(variance: str, strengths: Sequence[float]) -> None:
    found, expected = trajectory(variance, strengths), recursion(variance, strengths)
    assert len(found) == len(expected) == len(strengths) + 1
    for number, (x, (mean, spread)) in enumerate(zip(found, expected, strict=True)):
        low, high = variance_bounds(spread)
        assert low < float(x.double().var()) < high, number
        off = norm.ppf(1 - CHANCE / 2) * math.sqrt(spread / math.prod(PIXELS))
        assert abs(float(x.double().mean()) - mean) < off, number


@pytest.mark.parametrize("strength", [0.0, 0.1, 0.2, 0.5])
@pytest.mark.parametrize(
    ("variance", "steps"),
    [
        ("fixed_small", 20),
        ("fixed_large", 20),
        ("learned_range", 20),
        ("fixed_small", 50),
        ("learned_range", 50),
    ],
)
def test_variance_follows_the_recursion_at_every_step(variance: str, steps: int, strength: float) -> None:
    assert_follows_the_recursion(variance, [strength] * steps)


def test_variance_follows_a_strength_that_changes_over_time() -> None:
    assert_follows_the_recursion("fixed_small", [0.5 * (number % 3) for number in range(20)])


@pytest.mark.parametrize("variance", ["fixed_small", "learned_range"])
def test_a_sampler_that_ignores_strength_would_be_seen(variance: str) -> None:
    with_strength, without = (recursion(variance, [strength] * 20) for strength in (0.2, 0.0))
    ignoring = trajectory(variance, [0.0] * 20)
    for number in range(1, 21):
        low, high = variance_bounds(with_strength[number][1])
        assert without[number][1] < low, number
        assert not low < float(ignoring[number].double().var()) < high, number


def test_without_strength_the_data_comes_back() -> None:
    # On all levels; the two variances bound the true one from both sides (DDPM, section 3.2).
    small, large = (recursion(kind, [0.0] * 1000)[-1][1] for kind in ("fixed_small", "fixed_large"))
    assert small < DEVIATION**2 < large
    assert (small, large) == pytest.approx((DEVIATION**2,) * 2, rel=0.04)
