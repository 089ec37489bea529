"""What a device makes beside what the CPU makes: `pytest -m gpu`.

Without a GPU the CPU is compared with itself, which shows that the tests are sound.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator

import synthgen
from synthgen.detectors.base import AnomalySource
from synthgen.detectors.registry import make_detector
from synthgen.diffusion.model import DiffusionModel, Whole, load_model
from synthgen.diffusion.sampling import Sampling
from synthgen.plan.plan import Plan
from synthgen.pretraining.settings import PretrainingSettings
from synthgen.recipe.files import load_recipe
from synthgen.sample import Sample
from synthgen.shards.reader import open_directory, read_marks
from tests.cli.helpers import write_pictures
from tests.detectors.images import Images, Spots, normal_images
from tests.detectors.methods import no_progress
from tests.diffusion.training.trainings import forget_accelerator, make_presets_small

pytestmark = pytest.mark.gpu

PASTED = ("cutpaste", "scar", "smoothblend", "cutout", "perlin-texture", "perlin-self-shuffle", "nsa")
QUICK = [f"synthesizers.{number}.sampling={{steps: 5, batch: 1}}" for number in range(2)]
"""Of sdas-quickstart, whose network takes most of the time."""
COUNT = 6
SAMPLER_BOUND = 4.0
"""Grey levels between images that a device samples in bfloat16 and the CPU in float32, on average."""


@cache
def frozen(recipe: str, *more: str) -> Plan:
    return synthgen.freeze(load_recipe(recipe, list(more)))


@cache
def on_the_cpu(recipe: str, *more: str) -> list[Sample]:
    return made(frozen(recipe, *more), "cpu")


def made(plan: Plan, device: str, batch_size: int = 32, count: int = COUNT) -> list[Sample]:
    return list(synthgen.Pipeline(plan, device, batch_size).samples(range(count)))


@pytest.mark.parametrize("recipe", PASTED)
def test_pasted_masks_are_equal_and_images_within_a_grey_level(recipe: str, device: str) -> None:
    plan = frozen(recipe, "size=[64, 64]")
    for there, here in zip(made(plan, device), on_the_cpu(recipe, "size=[64, 64]"), strict=True):
        assert np.array_equal(there.mask, here.mask)
        assert np.abs(there.image.astype(int) - here.image).max() <= 1
        assert there.facts.method == here.facts.method and there.facts.box == here.facts.box


def test_a_loaders_batches_are_the_cpus_samples(device: str) -> None:
    plan = frozen("cutpaste", "size=[64, 64]", f"count={COUNT}")
    here = made(plan, "cpu")
    batches = list(synthgen.DeviceLoader(plan, device, batch_size=2, workers=1))
    assert {batch.image.device.type for batch in batches} == {device}
    for name in ("image", "normal"):
        there = torch.cat([getattr(batch, name) for batch in batches]).permute(0, 2, 3, 1).cpu()
        assert np.array_equal(there, [getattr(sample, name) for sample in here])
    masks = torch.cat([batch.mask for batch in batches])[:, 0].cpu() * 255
    assert np.array_equal(masks, [sample.mask for sample in here])


@pytest.mark.parametrize("recipe", ["mixed", "sdas-quickstart"])
def test_a_plan_makes_the_same_bytes_twice_in_batches_of_any_size(recipe: str, device: str) -> None:
    plan = frozen(recipe, *(QUICK if recipe == "sdas-quickstart" else ()))
    one, other = made(plan, device, count=2), made(plan, device, batch_size=1, count=2)
    for first, second in zip(one, other, strict=True):
        assert np.array_equal(first.image, second.image) and np.array_equal(first.mask, second.mask)
        assert first.facts == second.facts


@pytest.mark.parametrize("sampler", ["ancestral", "ddim"])
def test_the_sampler_is_near_to_the_cpus_in_float32(sampler: str, device: str) -> None:
    asked = [Whole(number, 0.2, "brick") for number in range(4)]
    sampling = Sampling.model_validate({"steps": 4, "batch": 4, "sampler": sampler})
    there, here = (load_model("builtin", where).whole(asked, sampling) for where in (device, "cpu"))
    difference = np.abs(np.stack(there).astype(int) - np.stack(here))
    assert difference.mean() <= SAMPLER_BOUND
    assert not np.array_equal(here[0], here[1])


def test_a_samples_noise_is_its_own_wherever_it_stands_in_a_batch(device: str) -> None:
    model: DiffusionModel = load_model("builtin", device)
    sampling = Sampling(steps=2, batch=3)
    one, two, three = (Whole(number, 0.2, "brick") for number in range(3))
    straight, turned = model.whole([one, two, three], sampling), model.whole([three, two, one], sampling)
    assert np.array_equal(straight[1], turned[1])
    assert np.abs(straight[0].astype(int) - turned[2]).max() <= 1


@pytest.mark.parametrize("method", ["padim", "patchcore", "segmenter"])
def test_a_detectors_scores_are_the_cpus(method: str, device: str) -> None:
    normals = normal_images(12)
    source: AnomalySource | None = Spots(normals) if method == "segmenter" else None
    settings = {"image_size": 64} | ({"channels": 20} if method == "padim" else {})
    settings |= {"steps": 4, "samples": 8, "batch": 4} if method == "segmenter" else {}
    found = []
    for where in (device, "cpu"):
        detector = make_detector(method, settings, "resnet18", "random", where)
        detector.fit(Images(normals), source, 0, no_progress)
        found.append(detector.predict(normal_images(4, seed=1)))
    for there, here in zip(*found, strict=True):
        assert torch.allclose(there, here, rtol=1e-3, atol=1e-3 * float(here.abs().max()))


def gathering(losses: list[float]) -> Callable[[Any, int, Any], None]:
    """An observer of a training that keeps the loss of every update."""

    def gather(training: Any, done: int, update: Any) -> None:
        if update:
            losses.append(update.loss)

    return gather


@pytest.mark.parametrize("base", ["simclr", "moco", "simsiam"])
def test_a_pre_training_begins_as_on_the_cpu(base: str, device: str, tmp_path: Path) -> None:
    write_pictures(tmp_path / "good", 12)
    settings = PretrainingSettings.model_validate(
        {
            "base": base,
            "size": 32,
            "batch": 4,
            "steps": 2,
            "init": "random",
            "backbone": "resnet18",
            "stage": 2,
        }
    )
    losses = []
    for number, where in enumerate((device, "cpu")):
        updates: list[float] = []
        synthgen.pretrain(
            tmp_path / "good",
            tmp_path / f"{number}.safetensors",
            settings,
            device=where,
            observer=gathering(updates),
        )
        losses.append(updates)
        forget_accelerator()
    assert len(losses[0]) == 2 and losses[0] == pytest.approx(losses[1], rel=5e-3)


def test_a_training_begins_as_on_the_cpu(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_presets_small(monkeypatch)
    write_pictures(tmp_path / "good", 10, height=16, width=16)
    losses = []
    for number, where in enumerate((device, "cpu")):
        updates: list[float] = []
        synthgen.train_diffusion(
            tmp_path / "good",
            tmp_path / f"model-{number}",
            synthgen.TrainingSettings(size=16, learning_rate=1e-6),
            steps=1,
            device=where,
            observer=gathering(updates),
        )
        losses.append(updates)
        forget_accelerator()
    # The noise comes from the device's own generator, so that losses are alike and not equal.
    assert len(losses[0]) == 1 and losses[0] == pytest.approx(losses[1], rel=0.5)


def test_two_workers_make_the_bytes_of_one(device: str, tmp_path: Path) -> None:
    if device == "cpu":
        pytest.skip("workers on the CPU have tests of their own, in tests/engines")
    recipe = load_recipe(
        "sdas-quickstart",
        [
            "synthesizers.0.sampling.steps=1",
            "synthesizers.1.sampling.steps=1",
            "count=4",
            "output.shard_size=2",
        ],
    )
    for workers in (1, 2):
        synthgen.generate(recipe, tmp_path / str(workers), workers=workers, device=device)
    sums = [
        {
            number: mark.sha256
            for number, mark in read_marks(open_directory(str(tmp_path / str(workers)))).items()
        }
        for workers in (1, 2)
    ]
    assert sums[0] == sums[1] and len(sums[0]) == 2


def test_lack_of_memory_is_a_sentence(device: str) -> None:
    if device == "cpu":
        pytest.skip("a CPU's memory ends where the machine's does")
    model = load_model("builtin", device)
    with pytest.raises(synthgen.errors.RunError, match="does not fit"):
        model.whole([Whole(0, 0.1, "brick")], Sampling(steps=1, batch=4096 * 16))


def test_generators_of_the_views_are_on_the_cpu(device: str) -> None:
    from synthgen.pretraining.views import global_views

    images = torch.rand(4, 3, 32, 32, generator=Generator().manual_seed(0))
    there = global_views(images.to(device), Generator().manual_seed(1)).cpu()
    assert torch.allclose(there, global_views(images, Generator().manual_seed(1)), atol=2e-3)
