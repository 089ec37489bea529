"""The training loop: its rates and steps are those asked for, and a killed one ends as if it had not been."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor, nn

from synthgen.detectors.base import Fitting
from synthgen.detectors.checkpoint import Checkpoint, NoCheckpoint
from synthgen.detectors.common import training
from synthgen.detectors.common.training import constant, cosine, train
from synthgen.errors import RunError
from tests.detectors.checkpoints import KilledCheckpoint, KilledError
from tests.detectors.images import Images, normal_images
from tests.detectors.methods import message

STEPS = 8
CPU = torch.device("cpu")


def fitting(checkpoint: Checkpoint | None = None, news: list[tuple[int, int]] | None = None) -> Fitting:
    def progress(done: int, total: int) -> None:
        if news is not None:
            news.append((done, total))

    return Fitting(Images(normal_images(1)), None, 3, progress, checkpoint or NoCheckpoint())


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def optimizers(of: nn.Sequential) -> list[torch.optim.Optimizer]:
    return [
        torch.optim.AdamW(of[0].parameters(), 0.01),
        torch.optim.SGD([*of[1].parameters(), *of[2].parameters()], 0.1, momentum=0.9),
    ]


def loss_of(of: nn.Module) -> Callable[[int, Generator], Tensor]:
    def loss(step: int, generator: Generator) -> Tensor:
        inputs = torch.rand(5, 3, generator=generator)
        return (of(inputs)[:, 0] - inputs.sum(1) * (step + 1)).square().mean()

    return loss


@pytest.mark.parametrize("schedule", [constant, cosine])
@pytest.mark.parametrize("most", [1, 4, 7])
def test_a_killed_training_ends_as_one_that_was_not(
    most: int, schedule: training.Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_SECONDS", 0)
    whole = network()
    train({"a": whole}, optimizers(whole), loss_of(whole), STEPS, fitting(), device=CPU, schedule=schedule)
    checkpoint, killed = KilledCheckpoint(most), network()
    with pytest.raises(KilledError):
        train(
            {"a": killed},
            optimizers(killed),
            loss_of(killed),
            STEPS,
            fitting(checkpoint),
            device=CPU,
            schedule=schedule,
        )
    checkpoint.most = None
    resumed, news = network(), list[tuple[int, int]]()
    train(
        {"a": resumed},
        optimizers(resumed),
        loss_of(resumed),
        STEPS,
        fitting(checkpoint, news),
        device=CPU,
        schedule=schedule,
    )
    assert news[0] == (most + 1, STEPS)
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_without_momentum_the_weights_go_as_far_as_rates_and_gradients_say() -> None:
    weight = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(weight.weight)

    def loss(step: int, generator: Generator) -> Tensor:
        return -weight.weight.sum() * 3  # a gradient of -3

    optimizer = torch.optim.SGD(weight.parameters(), 0.5)
    train({"w": weight}, [optimizer], loss, 4, fitting(), device=CPU, schedule=cosine, clip=2.0)
    rates = [0.5 * 0.5 * (1 + math.cos(math.pi * step / 4)) for step in range(4)]
    assert float(weight.weight.detach()) == pytest.approx(2 * sum(rates))


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    weight = nn.Linear(1, 1)

    def loss(step: int, generator: Generator) -> Tensor:
        return weight.weight.sum() * (math.nan if step == 2 else 1)

    with pytest.raises(RunError) as error:
        train({}, [torch.optim.SGD(weight.parameters(), 0.1)], loss, 5, fitting(), device=CPU)
    assert message(error).startswith("the loss of step 3 of 5 is NaN or infinite;")


def test_every_step_has_random_numbers_of_its_own() -> None:
    weight, drawn = nn.Linear(1, 1), []

    def loss(step: int, generator: Generator) -> Tensor:
        drawn.append(float(torch.rand(1, generator=generator)))
        return weight.weight.sum()

    for _ in range(2):
        train({}, [torch.optim.SGD(weight.parameters(), 0.1)], loss, 3, fitting(), device=CPU)
    assert drawn[:3] == drawn[3:]
    assert len(set(drawn)) == 3
