"""Small trainings for tests: a network of a few thousand weights, and pictures to learn from."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState

from synthgen.diffusion.training.images import TrainingImages
from synthgen.diffusion.training.presets import PRESETS
from synthgen.diffusion.training.settings import TrainingSettings
from synthgen.diffusion.training.trainer import Trainer
from synthgen.images import png
from synthgen.images.pixels import Pixels

SIDE = 16
STEPS = 8


def make_presets_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tiny be a network of two narrow levels, and small the same with packed pixels."""
    small = replace(
        PRESETS["tiny"], channels=(8, 16), attention=(1,), head_channels=8, norm_groups=4, batch=2
    )
    monkeypatch.setitem(PRESETS, "tiny", small)
    monkeypatch.setitem(PRESETS, "small", replace(small, packing=2))


def pictures(count: int, channels: int = 3, seed: int = 0) -> Pixels:
    """(N, 16, 16, C) uint8 in which no two patches are alike."""
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, channels), np.uint8)


def images(*counts: int, channels: int = 3) -> TrainingImages:
    """As many images of as many categories, each of them of its own."""
    classes = np.repeat(np.arange(len(counts)), counts)
    return TrainingImages(
        pixels=pictures(len(classes), channels),
        classes=classes,
        categories=tuple(f"category {number}" for number in range(len(counts))),
        sha256s=tuple(f"sum {number}" for number in range(len(classes))),
        rejected=(),
    )


def write_pictures(folder: Path, count: int = 10, channels: int = 3, seed: int = 0) -> Path:
    """A folder of PNG files."""
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures(count, channels, seed)):
        (folder / f"{number}.png").write_bytes(png.encode(picture))
    return folder


@contextmanager
def accelerator(accumulate: int = 1) -> Iterator[Accelerator]:
    """On the CPU; accelerate keeps one state in a process, which is forgotten in the end."""
    try:
        yield Accelerator(cpu=True, gradient_accumulation_steps=accumulate)
    finally:
        forget_accelerator()


def forget_accelerator() -> None:
    """Let the next Accelerator of this process have other settings."""
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


@contextmanager
def trainer(of: TrainingImages, settings: TrainingSettings) -> Iterator[Trainer]:
    """A trainer on the CPU."""
    with accelerator(settings.accumulate) as cpu:
        yield Trainer(of, settings, cpu)


def arguments(source: Path, out: Path, *more: str, steps: int = STEPS) -> list[str]:
    """Of `synthgen` for a small training."""
    own = ["--size", str(SIDE), "--steps", str(steps), "--device", "cpu"]
    return ["sdas", "train", str(source), "--out", str(out), *own, *more]


def log(model: Path) -> str:
    """The log of the loss so far."""
    path = model / "training" / "loss.csv"
    return path.read_text() if path.exists() else ""


def last_state(model: Path) -> Any:
    """What the next update would begin with."""
    return torch.load(max((model / "training").glob("state-*.pt")), weights_only=True)
