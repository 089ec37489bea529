"""The steps: those of diffusers at s = 0, and the variance that s adds to one of them."""

from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import Tensor

from synthgen.diffusion.prediction import NetworkOutput, predict
from synthgen.diffusion.sampler import (
    ReverseProcess,
    ancestral_step,
    ddim_step,
    posterior_mean,
    q_sample,
    sample,
)
from synthgen.diffusion.schedule import Level, Schedule, schedule_from_config
from tests.diffusion.training.processes import SHAPE, VARIANCES, noise_source, unit_noise

PREDICTIONS = ("epsilon", "v_prediction", "sample")
NORMAL = torch.zeros(2, 1, 1, 1)

AnyScheduler = TypeVar("AnyScheduler", DDPMScheduler, DDIMScheduler)


def in_double(scheduler: AnyScheduler) -> AnyScheduler:
    """Diffusers' scheduler with its table, not its arithmetic, in double precision."""
    scheduler.alphas_cumprod = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
    scheduler.one = scheduler.final_alpha_cumprod = torch.ones((), dtype=torch.float64)
    return scheduler


def ends_and_some_between(schedule: Schedule) -> tuple[Level, ...]:
    """Fewer levels of a long schedule, to save time."""
    levels = schedule.levels
    return levels if len(levels) <= 50 else (*levels[:3], *levels[3:-10:41], *levels[-10:])


def network_output(variance: str, seed: int) -> Tensor:
    """Any output will do; the variance's channels are mostly in [-1, 1]."""
    output = unit_noise(seed)
    return torch.cat([output, unit_noise(seed + 1) / 2], dim=1) if variance == "learned_range" else output


def differences(theirs: DDPMScheduler, steps: int) -> Tensor:
    """The largest difference in x_{t-1} at each level, relative to the largest of its values."""
    theirs.set_timesteps(steps)
    kind = NetworkOutput.from_config(theirs.config)
    found = []
    for level in ends_and_some_between(schedule_from_config(theirs.config, steps)):
        x, output = unit_noise(level.timestep), network_output(kind.variance_type, 5000 + level.timestep)
        generator = torch.Generator().manual_seed(level.timestep + 9)
        expected = theirs.step(output, level.timestep, x, generator=generator).prev_sample
        ours = ancestral_step(
            x, predict(output, x, level, kind), level, NORMAL, unit_noise(level.timestep + 9)
        )
        found.append((ours - expected).abs().max() / expected.abs().max())
    return torch.stack(found)


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("steps", [20, 50, 1000])
def test_ancestral_step_without_strength_is_that_of_diffusers(
    steps: int, prediction: str, variance: str, clip: bool
) -> None:
    settings = {"prediction_type": prediction, "variance_type": variance, "clip_sample": clip}
    exact = differences(in_double(DDPMScheduler(**settings)), steps)
    assert exact.max() < 1e-6
    # As shipped, its tables are float32: beta = 1 - alpha keeps only three digits where it is 1e-4.
    shipped = differences(DDPMScheduler(**settings), steps)
    assert shipped.max() < (1e-3 if steps == 1000 else 2e-5)


@pytest.mark.parametrize("spacing", ["trailing", "linspace"])
@pytest.mark.parametrize("beta_schedule", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_ancestral_step_on_other_schedules(beta_schedule: str, spacing: str) -> None:
    theirs = DDPMScheduler(beta_schedule=beta_schedule, timestep_spacing=spacing)
    assert differences(theirs, 20).max() < 2e-4


def smooth_network(x: Tensor, timesteps: Tensor) -> Tensor:
    return torch.tanh(x * 0.7 + timesteps.reshape(-1, 1, 1, 1) / 1000)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_whole_loop_is_that_of_diffusers(prediction: str) -> None:
    theirs = in_double(DDPMScheduler(prediction_type=prediction))
    theirs.set_timesteps(20)
    draw = noise_source(1)
    expected = draw(0)
    for number, timestep in enumerate(theirs.timesteps):
        generator = torch.Generator().manual_seed(1000 + number + 1)
        output = smooth_network(expected, timestep.repeat(2))
        expected = theirs.step(output, timestep, expected, generator=generator).prev_sample

    process = ReverseProcess(
        smooth_network, schedule_from_config(theirs.config, 20), NetworkOutput.from_config(theirs.config)
    )
    torch.testing.assert_close(sample(process, draw, torch.zeros(20, 2)), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_whole_loop_of_ddim_is_that_of_diffusers(prediction: str) -> None:
    theirs = in_double(DDIMScheduler(prediction_type=prediction))
    theirs.set_timesteps(20)
    expected = unit_noise(4)
    for timestep in theirs.timesteps:
        output = smooth_network(expected, timestep.repeat(2))
        expected = theirs.step(output, timestep, expected, use_clipped_model_output=True).prev_sample

    process = ReverseProcess(
        smooth_network, schedule_from_config(theirs.config, 20), NetworkOutput.from_config(theirs.config)
    )
    found = sample(process, lambda number: unit_noise(4 + number), torch.zeros(20, 2), ddim_step)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("steps", [20, 50, 1000])
def test_ddim_step_without_strength_is_that_of_diffusers(steps: int, prediction: str, clip: bool) -> None:
    theirs = in_double(DDIMScheduler(prediction_type=prediction, clip_sample=clip))
    theirs.set_timesteps(steps)
    kind = NetworkOutput.from_config(theirs.config)
    for level in ends_and_some_between(schedule_from_config(theirs.config, steps)):
        x, output = unit_noise(level.timestep), unit_noise(level.timestep + 1)
        expected = theirs.step(output, level.timestep, x, eta=0, use_clipped_model_output=True).prev_sample
        ours = ddim_step(x, predict(output, x, level, kind), level, NORMAL, unit_noise(3))
        assert (ours - expected).abs().max() / expected.abs().max() < 1e-6, level


def test_noised_images_are_those_of_diffusers() -> None:
    theirs, original, noise = DDPMScheduler(), unit_noise(1), unit_noise(2)
    for level in schedule_from_config({}, 50).levels:
        # Theirs takes alpha_bar from 1 in float32, and of 1e-4 three digits are left.
        expected = theirs.add_noise(original, noise, torch.tensor([level.timestep] * 2))
        torch.testing.assert_close(q_sample(original, level.alpha_bar, noise), expected, rtol=0, atol=5e-6)


@pytest.mark.parametrize("variance", VARIANCES)
def test_strength_multiplies_the_added_variance(variance: str) -> None:
    kind = NetworkOutput("epsilon", variance, 1.0)
    level = schedule_from_config({}, 20).levels[7]
    x, noise = unit_noise(1), unit_noise(2)
    predicted = predict(network_output(variance, 3), x, level, kind)
    mean = ancestral_step(x, predicted, level, NORMAL, torch.zeros(SHAPE))
    map_of_strength = torch.linspace(0, 1, 128).reshape(2, 1, 8, 8)
    for strength in (torch.tensor([0.1, 0.5]).reshape(2, 1, 1, 1), map_of_strength):
        added = ancestral_step(x, predicted, level, strength, noise) - mean
        expected = (1 + strength).sqrt() * predicted.deviation * noise
        torch.testing.assert_close(added, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("variance", VARIANCES)
def test_ddim_adds_only_the_variance_of_strength(variance: str) -> None:
    kind = NetworkOutput("epsilon", variance, 1.0)
    level = schedule_from_config({}, 20).levels[7]
    x, noise = unit_noise(1), unit_noise(2)
    predicted = predict(network_output(variance, 3), x, level, kind)
    strength = torch.tensor([0.01, 0.03]).reshape(2, 1, 1, 1)
    added = ddim_step(x, predicted, level, strength, noise) - ddim_step(x, predicted, level, NORMAL, noise)
    torch.testing.assert_close(added, strength.sqrt() * predicted.deviation * noise, rtol=0, atol=1e-6)


@pytest.mark.parametrize("step", [ancestral_step, ddim_step])
@pytest.mark.parametrize("variance", VARIANCES)
def test_the_last_step_gives_the_predicted_image(variance: str, step: Callable[..., Tensor]) -> None:
    last = schedule_from_config({}, 20).levels[-1]
    x = unit_noise(1)
    predicted = predict(network_output(variance, 3), x, last, NetworkOutput("epsilon", variance, 1.0))
    found = step(x, predicted, last, torch.ones(2, 1, 1, 1), unit_noise(2))
    assert torch.equal(found, predicted.original)


def test_at_the_last_level_the_posterior_is_the_image() -> None:
    last = Level(timestep=0, alpha_bar=0.9999, alpha_bar_previous=1.0)
    assert torch.equal(posterior_mean(unit_noise(1), unit_noise(2), last), unit_noise(2))
