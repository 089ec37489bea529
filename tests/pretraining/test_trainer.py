"""One update: what the term compares, which samples count, and what moves."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from synthgen.pretraining.images import Batch
from synthgen.pretraining.moco import MOMENTUM, MoCo
from synthgen.pretraining.settings import PretrainingSettings
from synthgen.pretraining.simsiam import SimSiam
from synthgen.pretraining.trainer import Trainer
from synthgen.runtime.acceleration import accelerator

COUNT = 4


class Given:
    """Images that are handed to the trainer as they are, with copies."""

    count = 8

    def __init__(self, copies: Callable[[Tensor], Tensor], differs: list[bool] | None = None) -> None:
        self.images = torch.rand(COUNT, 3, 32, 32, generator=Generator().manual_seed(0))
        self.copies, self.differs = copies(self.images.clone()), torch.tensor(differs or [True] * COUNT)

    def batch(self, number: int, settings: PretrainingSettings, part: int = 0) -> Batch:
        return Batch(self.images, self.copies, self.differs, torch.arange(COUNT))


def trainer(images: Any, **more: Any) -> Trainer:
    small = {"size": 32, "batch": COUNT, "steps": 10, "stage": 1, "init": "random", "backbone": "resnet18"}
    settings = PretrainingSettings.model_validate(small | more)
    return Trainer(images, settings, accelerator("cpu", "no"))


def with_a_hole(images: Tensor) -> Tensor:
    images[:, :, 10:20, 10:20] = 0
    return images


def test_a_copy_without_a_change_is_the_weak_view() -> None:
    """So the term is that of two equal similarities, whatever the view."""
    assert trainer(Given(lambda images: images)).update(0).spd == pytest.approx(math.log(2), abs=1e-5)
    margin = trainer(Given(lambda images: images), spd="margin", margin=0.3).update(0)
    assert margin.spd == pytest.approx(0.3, abs=1e-5)


@pytest.mark.parametrize("on", ["features", "projection"])
def test_only_copies_with_a_defect_count(on: str) -> None:
    def second_alone(images: Tensor) -> Tensor:
        images[0] = 0
        return images

    alone = trainer(Given(second_alone, [False, True, True, True]), spd_on=on).update(0)
    assert alone.spd == pytest.approx(math.log(2), abs=1e-5)
    nothing = trainer(Given(second_alone, [False] * COUNT), spd_on=on).update(0)
    assert nothing.spd == 0


def test_the_loss_is_the_base_and_the_weighed_term() -> None:
    update = trainer(Given(with_a_hole), weight=3).update(0)
    assert update.loss == pytest.approx(update.base + 3 * update.spd, rel=1e-5)
    assert 0 < update.spread < 2


def test_the_keys_follow_after_each_update() -> None:
    moco = trainer(Given(with_a_hole), base="moco")
    method = moco.method
    assert isinstance(method, MoCo)
    was = [parameter.clone() for parameter in method.keys.parameters()]
    moco.update(0)
    followed = zip(method.keys.parameters(), was, method.encoder.parameters(), strict=True)
    for slow, old, fast in followed:
        assert torch.allclose(slow, MOMENTUM * old + (1 - MOMENTUM) * fast, atol=1e-6)
    assert method.numbers.tolist()[:COUNT] == list(range(COUNT))


def test_the_rate_falls_by_half_a_cosine_but_for_a_predictor() -> None:
    simsiam = trainer(Given(with_a_hole), base="simsiam", learning_rate=0.2)
    method = simsiam.method
    assert isinstance(method, SimSiam)
    for number in range(10):
        simsiam.update(number)
        falling, constant = simsiam._optimizer.param_groups
        assert falling["lr"] == pytest.approx(0.2 * (1 + math.cos(math.pi * number / 10)) / 2)
        assert constant["lr"] == 0.2
    assert {id(each) for each in constant["params"]} == {id(each) for each in method.predictor.parameters()}


def test_a_term_alone_comes_down() -> None:
    """The smallest sign that gradients point the right way: on one batch, over and over."""
    learner = trainer(Given(with_a_hole), learning_rate=0.05, steps=100)
    found = [learner.update(number).spd for number in range(25)]
    assert sum(found[-5:]) < 0.8 * sum(found[:5])
