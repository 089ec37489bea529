"""The moving average of the weights."""

import pytest
import torch
from torch import nn

from synthgen.diffusion.training.ema import MovingAverage


def network(value: float) -> nn.Linear:
    made = nn.Linear(2, 3)
    set_to(made, value)
    return made


def set_to(module: nn.Module, value: float) -> None:
    with torch.no_grad():
        for weight in module.parameters():
            weight.fill_(value)


def value(average: MovingAverage) -> float:
    [only] = {float(each) for weights in average.weights.values() for each in weights.flatten()}
    return only


def test_after_the_warm_up_a_step_is_forgotten_geometrically() -> None:
    trained = network(1.0)
    average = MovingAverage(trained, 0.9)
    set_to(trained, 0.0)
    late = 10_000
    for number in range(20):
        average.update(trained, late + number)
        assert value(average) == pytest.approx(0.9 ** (number + 1), rel=1e-5)


def test_the_warm_up_forgets_the_first_weights() -> None:
    trained = network(1.0)
    average = MovingAverage(trained, 0.9999)
    set_to(trained, 0.0)
    # The product of (1 + k) / (10 + k) over k = 1 … n is 10! (n + 1)! / (n + 10)!.
    left = 1.0
    for updates in range(1, 101):
        average.update(trained, updates)
        left *= (1 + updates) / (10 + updates)
        assert value(average) == pytest.approx(left, rel=1e-4)
    assert left < 1e-9  # where 0.9999 alone would have kept 0.99 of the first weights


def test_it_is_a_mean_of_all_weights_so_far() -> None:
    trained = network(0.0)
    average = MovingAverage(trained, 0.5)
    expected = 0.0
    for updates, weight in enumerate([3.0, -1.0, 2.5], 1):
        set_to(trained, weight)
        average.update(trained, updates)
        keep = min(0.5, (1 + updates) / (10 + updates))
        expected = keep * expected + (1 - keep) * weight
    assert value(average) == pytest.approx(expected, rel=1e-6)


def test_the_network_shows_the_average_only_for_a_while() -> None:
    trained = network(1.0)
    average = MovingAverage(trained, 0.9)
    set_to(trained, 5.0)
    with pytest.raises(KeyError), average.shown_by(trained):
        assert float(trained.weight.detach()[0, 0]) == 1.0
        raise KeyError
    assert float(trained.weight.detach()[0, 0]) == 5.0
    assert value(average) == 1.0


def test_loaded_weights_are_gone_on_from_and_left_alone() -> None:
    trained = network(1.0)
    average = MovingAverage(trained, 0.5)
    before = {name: torch.full_like(weight, 3.0) for name, weight in average.weights.items()}
    average.load(before)
    average.update(trained, 10_000)
    assert value(average) == 2.0
    assert all(bool((weight == 3.0).all()) for weight in before.values())
