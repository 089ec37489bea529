"""Batches that do not fit in memory."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DModel

from synthgen.diffusion.training.settings import TrainingSettings
from tests.cli.helpers import Run
from tests.diffusion.training.trainings import arguments, images, trainer

pytestmark = pytest.mark.usefixtures("small_presets")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to"
        ),
        RuntimeError("could not create a primitive"),
        MemoryError(),
    ],
)
def test_out_of_memory_says_which_batch_fits(
    source: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real = UNet2DModel.forward

    def forward(self: UNet2DModel, sample: torch.Tensor, *more: Any, **named: Any) -> Any:
        if len(sample) > 2:
            raise error
        return real(self, sample, *more, **named)

    monkeypatch.setattr(UNet2DModel, "forward", forward)
    out = tmp_path / "model"
    run(*arguments(source, out, "--batch", "12", "--set", "accumulate=2")).assert_refused(
        "a batch of 12 does not fit in the memory of cpu; 2 does, and --batch 2 --set accumulate=12 trains ",
        code=1,
    )
    assert run(*arguments(source, out, "--batch", "2", "--set", "accumulate=2", steps=1)).code == 0


def test_not_even_one_image_fits(
    source: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(UNet2DModel, "forward", forward)
    run(*arguments(source, tmp_path / "model")).assert_refused(
        "not even a batch of 1 fits in the memory of cpu; choose a smaller --preset or --size", code=1
    )


def test_trying_a_batch_changes_nothing() -> None:
    settings = TrainingSettings(size=16)
    with trainer(images(8), settings) as plain:
        expected = [plain.update(number) for number in range(3)]
    with trainer(images(8), settings) as trying:
        found = []
        for number in range(3):
            trying.try_batch(5)
            found.append(trying.update(number))
    assert found == expected
