"""A part of an image sampled anew: exact outside, without a seam of missing noise, with strength inside."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from synthgen.diffusion.prediction import NetworkOutput, predict
from synthgen.diffusion.sampler import (
    ReverseProcess,
    ancestral_step,
    posterior_mean,
    q_sample,
    sample_inside,
)
from synthgen.diffusion.schedule import schedule_from_config
from tests.diffusion.training.processes import (
    PIXELS,
    VARIANCES,
    mixing_network,
    noise_source,
    unit_noise,
    variance_bounds,
)

ORIGINAL = torch.tanh(unit_noise(77, (3, 1, 40, 40)))


def held(
    network: Callable[[Tensor, Tensor], Tensor],
    weight: Tensor,
    strength: float = 0.0,
    original: Tensor = ORIGINAL,
    *,
    steps: int = 10,
    kind: NetworkOutput = NetworkOutput("sample", "fixed_small", None),  # noqa: B008
) -> Tensor:
    process = ReverseProcess(network, schedule_from_config({}, 20).last(steps), kind)
    strengths = torch.full((steps, len(original)), strength)
    return sample_inside(process, noise_source(5, tuple(original.shape)), strengths, original, weight)


def flat(x: Tensor, timesteps: Tensor) -> Tensor:
    """Of a network that sees one value in every image."""
    return torch.full_like(x, 0.25)


def square() -> Tensor:
    weight = torch.zeros(3, 1, 40, 40)
    weight[..., 10:30, 10:30] = 1
    return weight


@pytest.mark.parametrize("kind", [NetworkOutput("epsilon", variance, 1.0) for variance in VARIANCES])
def test_outside_the_original_is_kept_exactly(kind: NetworkOutput) -> None:
    weight = square()
    result = held(mixing_network(kind.variance_type == "learned_range"), weight, 0.3, kind=kind)
    kept = weight.expand_as(result) == 0
    assert torch.equal(result[kept], ORIGINAL[kept])
    assert (result[~kept] != ORIGINAL[~kept]).float().mean() > 0.99


def test_inside_is_what_the_network_makes() -> None:
    weight = square()
    result = held(flat, weight, 0.3)
    assert (result[weight == 1] == 0.25).all()


def test_with_weight_everywhere_it_is_the_rest_of_the_ancestral_way() -> None:
    schedule = schedule_from_config({}, 20).last(10)
    kind = NetworkOutput("epsilon", "fixed_small", 1.0)
    network, draw = mixing_network(False), noise_source(5, tuple(ORIGINAL.shape))
    x = q_sample(ORIGINAL, schedule.levels[0].alpha_bar, draw(0))
    for number, level in enumerate(schedule.levels):
        output = network(x, torch.full((3,), level.timestep))
        strength = torch.full((3, 1, 1, 1), 0.3)
        x = ancestral_step(x, predict(output, x, level, kind), level, strength, draw(number + 1))
    assert torch.equal(held(network, torch.ones(3, 1, 40, 40), 0.3, kind=kind), x)


def test_the_border_band_goes_monotonically_from_the_original_to_the_network() -> None:
    weight = torch.linspace(0, 1, 40).expand(3, 1, 40, 40)
    original = torch.full((3, 1, 40, 40), -0.5)
    result = held(flat, weight, 0.2, original)
    torch.testing.assert_close(result, weight * 0.25 + (1 - weight) * -0.5)
    assert (result.diff(dim=3) > 0).all()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_the_noise_is_that_of_the_level_in_the_border_band_too(share: float) -> None:
    # A network that knows the original: x must be q(x_t | x_0) everywhere, whatever is mixed.
    original = torch.full(PIXELS, 0.4)
    seen: list[Tensor] = []

    def network(x: Tensor, timesteps: Tensor) -> Tensor:
        seen.append(x.clone())
        return original

    held(network, torch.full((1, 1, 200, 200), share), 0.0, original)
    for x, level in zip(seen, schedule_from_config({}, 20).last(10).levels, strict=True):
        low, high = variance_bounds(1 - level.alpha_bar)
        assert low < float((x - math.sqrt(level.alpha_bar) * 0.4).double().square().mean()) < high


def test_independent_noises_would_be_too_little_in_the_border_band() -> None:
    # The way of RePaint, eq. 8: the reason for stepping the real image down with the same noise.
    original = torch.full(PIXELS, 0.4)
    level = schedule_from_config({}, 20).levels[10]
    x = q_sample(original, level.alpha_bar, unit_noise(1, PIXELS))
    step = posterior_mean(x, original, level) + math.sqrt(level.posterior_variance) * unit_noise(2, PIXELS)
    mixed = 0.5 * step + 0.5 * q_sample(original, level.alpha_bar_previous, unit_noise(3, PIXELS))
    assert float(mixed.var()) < 0.6 * (1 - level.alpha_bar_previous)


def test_strength_acts_inside_and_not_outside() -> None:
    weight = square()
    seen: dict[float, list[Tensor]] = {0.0: [], 0.5: []}
    for strength, xs in seen.items():

        def network(x: Tensor, timesteps: Tensor, xs: list[Tensor] = xs) -> Tensor:
            xs.append(x.clone())
            return ORIGINAL

        held(network, weight, strength)
    inside = weight.expand_as(ORIGINAL) == 1
    without, with_strength = seen[0.0][-1], seen[0.5][-1]
    assert torch.equal(without[~inside], with_strength[~inside])
    spread = [float((x - math.sqrt(0.9999) * ORIGINAL)[inside].var()) for x in (without, with_strength)]
    assert spread[1] > 1.2 * spread[0]
