"""The loop: samples apart from each other, in order, on one device, and with strengths over time."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from synthgen.diffusion.prediction import NetworkOutput
from synthgen.diffusion.sampler import (
    ReverseProcess,
    ancestral_step,
    ddim_step,
    sample,
    sample_inside,
    strength_over_time,
)
from synthgen.diffusion.schedule import schedule_from_config
from tests.diffusion.training.processes import SHAPE, mixing_network, noise_source, unit_noise


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 7, 5), (3, 64, 64)])
@pytest.mark.parametrize("step", [ancestral_step, ddim_step])
@pytest.mark.parametrize("variance", ["fixed_small", "learned_range"])
def test_a_sample_is_the_same_alone_and_in_a_batch(
    variance: str, step: Callable[..., Tensor], shape: tuple[int, int, int]
) -> None:
    process = ReverseProcess(
        mixing_network(variance == "learned_range"),
        schedule_from_config({}, 20),
        NetworkOutput("epsilon", variance, 1.0),
    )
    strengths = torch.tensor([0.0, 0.013, 0.2, 0.5, 1.0]) * torch.linspace(1, 0, 20)[:, None]
    streams = [noise_source(seed, (1, *shape)) for seed in range(5)]
    together = sample(process, lambda number: torch.cat([draw(number) for draw in streams]), strengths, step)
    alone = [sample(process, draw, strengths[:, [place]], step) for place, draw in enumerate(streams)]
    assert torch.equal(together, torch.cat(alone))
    assert not torch.equal(together[3], sample(process, streams[3], strengths[:, [2]], step)[0])


def test_noise_is_drawn_once_a_step_in_order_and_not_for_the_last() -> None:
    asked: list[int] = []

    def draw(number: int) -> Tensor:
        asked.append(number)
        return unit_noise(number)

    process = ReverseProcess(
        mixing_network(False), schedule_from_config({}, 20), NetworkOutput("epsilon", "fixed_large", 1.0)
    )
    sample(process, draw, torch.zeros(20, 2))
    assert asked == list(range(20))
    asked.clear()
    rest = ReverseProcess(process.network, process.schedule.last(6), process.network_output)
    sample_inside(rest, draw, torch.zeros(6, 2), torch.zeros(SHAPE), torch.ones(2, 1, 8, 8))
    assert asked == list(range(6))


def test_the_network_is_told_the_timesteps_of_the_schedule() -> None:
    told: list[Tensor] = []

    def network(x: Tensor, timesteps: Tensor) -> Tensor:
        told.append(timesteps)
        return torch.zeros_like(x)

    process = ReverseProcess(
        network, schedule_from_config({}, 20).last(3), NetworkOutput("epsilon", "fixed_small", 1.0)
    )
    sample(process, noise_source(1), torch.zeros(3, 2))
    assert [each.tolist() for each in told] == [[100, 100], [50, 50], [0, 0]]
    assert told[0].dtype == torch.int64


@pytest.mark.parametrize("shape", [(20,), (2, 20), (20, 1), (19, 2)])
def test_strengths_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    process = ReverseProcess(
        mixing_network(False), schedule_from_config({}, 20), NetworkOutput("epsilon", "fixed_small", 1.0)
    )
    with pytest.raises(ValueError, match=r"expected \(20, 2\), steps by samples"):
        sample(process, noise_source(1), torch.zeros(shape))


@pytest.mark.parametrize("steps", [1, 2, 3, 20])
@pytest.mark.parametrize("profile", ["constant", "early", "late"])
def test_strength_over_time_keeps_its_mean(profile: str, steps: int) -> None:
    strengths = strength_over_time(torch.tensor([0.1, 0.4]), schedule_from_config({}, steps), profile)
    assert strengths.shape == (steps, 2)
    assert (strengths >= 0).all()
    noisy = strengths[: max(steps - 1, 1)]
    torch.testing.assert_close(noisy.mean(dim=0), torch.tensor([0.1, 0.4]))
    changes = noisy.diff(dim=0)
    if profile == "constant" or steps < 3:
        assert (changes == 0).all()
    else:
        assert (changes < 0).all() if profile == "early" else (changes > 0).all()


def test_nothing_that_is_given_is_changed() -> None:
    schedule = schedule_from_config({}, 20).last(3)
    original, weight, strengths = (
        torch.tanh(unit_noise(9)),
        torch.full((2, 1, 8, 8), 0.4),
        torch.full((3, 2), 0.2),
    )
    draws = [unit_noise(number) for number in range(3)]
    given = [original, weight, strengths, *draws]
    before = [each.clone() for each in given]
    process = ReverseProcess(mixing_network(False), schedule, NetworkOutput("epsilon", "fixed_small", 1.0))
    sample_inside(process, draws.__getitem__, strengths, original, weight)
    sample(process, draws.__getitem__, strengths)
    assert all(torch.equal(*pair) for pair in zip(given, before, strict=True))


@pytest.mark.parametrize("variance", ["fixed_small", "learned_range"])
def test_sampling_stays_on_the_device_and_never_waits_for_it(variance: str) -> None:
    # Tensors on meta have no values: reading one, or mixing in one from the CPU, raises.
    def draw(number: int) -> Tensor:
        return torch.empty(SHAPE, device="meta")

    process = ReverseProcess(
        mixing_network(variance == "learned_range"),
        schedule_from_config({}, 20),
        NetworkOutput("epsilon", variance, 1.0),
    )
    strengths = strength_over_time(torch.empty(2, device="meta"), process.schedule, "late")
    made = [sample(process, draw, strengths, step) for step in (ancestral_step, ddim_step)]
    made.append(sample_inside(process, draw, strengths, draw(0), torch.empty((2, 1, 8, 8), device="meta")))
    for images in made:
        assert images.shape == SHAPE
        assert images.dtype == torch.float32
