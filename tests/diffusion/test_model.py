"""A model in memory: diffusers' own loop as the oracle, and no sample depends on its batch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, UNet2DModel
from diffusers.schedulers import scheduling_ddpm

from synthgen.diffusion.model import DiffusionModel, Inside, Whole
from synthgen.diffusion.packing import packed, unpacked
from synthgen.diffusion.sampling import Sampling
from synthgen.diffusion.tensors import from_network
from synthgen.errors import RunError
from synthgen.images.pixels import Pixels
from synthgen.streams import Stream
from tests.synthesizers.scenes import cloudy, random_model

SIZE = 16
STEPS = 6


def load(directory: Path, categories: list[str], **facts: Any) -> DiffusionModel:
    return DiffusionModel(random_model(directory, SIZE, categories, **facts))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("model"), SIZE, ["a", "b", "c"])


@pytest.fixture(scope="module")
def model(directory: Path) -> DiffusionModel:
    return DiffusionModel(directory)


def by_diffusers(
    directory: Path, request: Whole, label: int | None, monkeypatch: pytest.MonkeyPatch, packing: int = 1
) -> Pixels:
    """One image by diffusers' network and scheduler, with the noise of the request's stream."""
    unet = UNet2DModel.from_pretrained(directory, subfolder="unet").eval()
    scheduler = DDPMScheduler.from_pretrained(directory, subfolder="scheduler")
    scheduler.set_timesteps(STEPS)
    draws = iter(range(STEPS))

    def noise(*_: Any, **__: Any) -> torch.Tensor:
        drawn = Stream(request.noise_seed, next(draws), "noise").gaussian((3, SIZE, SIZE))
        return packed(torch.from_numpy(drawn)[None], packing)

    monkeypatch.setattr(scheduling_ddpm, "randn_tensor", noise)
    labels = None if label is None else torch.tensor([label])
    with torch.inference_mode():
        image = noise()
        for timestep in scheduler.timesteps:
            output = unet(image, timestep, class_labels=labels).sample
            image = scheduler.step(output, timestep, image).prev_sample
    return from_network(unpacked(image, packing))[0]


def test_without_strength_it_is_the_loop_of_diffusers(
    model: DiffusionModel, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for label, category in enumerate("abc"):
        request = Whole(label + 7, 0.0, category)
        [ours] = model.whole([request], Sampling(steps=STEPS, batch=1))
        theirs = by_diffusers(directory, request, label, monkeypatch)
        assert np.abs(ours.astype(int) - theirs).max() <= 1
        assert ours.std() > 10


def test_a_packed_network_is_the_loop_of_diffusers_on_packed_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(tmp_path, ["one"], packing=2)
    request = Whole(5, 0.0, "whatever")
    [ours] = model.whole([request], Sampling(steps=STEPS, batch=1))
    theirs = by_diffusers(tmp_path, request, None, monkeypatch, packing=2)
    assert ours.shape == (SIZE, SIZE, 3)
    assert np.abs(ours.astype(int) - theirs).max() <= 1


REQUESTS = [Whole(number, 0.1 * number, "abc"[number % 3]) for number in range(7)]


@pytest.mark.parametrize("sampler", ["ancestral", "ddim"])
def test_no_sample_depends_on_its_batch(model: DiffusionModel, sampler: str) -> None:
    sampling = Sampling(steps=STEPS, batch=4, sampler=sampler, guidance=1.5)  # type: ignore[arg-type]
    together = model.whole(REQUESTS, sampling)
    backwards = model.whole(REQUESTS[::-1], sampling)[::-1]
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        alone = [model.whole([request], sampling)[0] for request in REQUESTS]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    for one, other, third in zip(together, backwards, alone, strict=True):
        assert np.array_equal(one, other)
        assert np.array_equal(one, third)
    assert len({picture.tobytes() for picture in together}) == len(REQUESTS)


def test_strength_guidance_category_and_time_each_change_the_picture(model: DiffusionModel) -> None:
    first = Whole(3, 0.2, "a")
    sampling = Sampling(steps=STEPS, batch=1)
    others = [
        (Whole(3, 0.3, "a"), sampling),
        (Whole(3, 0.2, "b"), sampling),
        (Whole(4, 0.2, "a"), sampling),
        (first, sampling.model_copy(update={"guidance": 2.0})),
        (first, sampling.model_copy(update={"strength_over_time": "late"})),
        (first, sampling.model_copy(update={"strength_over_time": "early"})),
    ]
    pictures = [model.whole([first], sampling), *(model.whole([each], how) for each, how in others)]
    assert len({picture[0].tobytes() for picture in pictures}) == len(pictures)


def test_guidance_goes_on_from_no_class_to_the_class(model: DiffusionModel) -> None:
    images = torch.from_numpy(Stream(1, 0, "x").gaussian((1, 3, SIZE, SIZE)))
    timesteps = torch.tensor([300])
    with torch.inference_mode():
        none, towards = (model._predictor(torch.tensor([label]))(images, timesteps) for label in (3, 1))
        guided = model._network([Whole(0, 0.0, "b")], 2.5)(images, timesteps)
    assert torch.allclose(guided, none + 2.5 * (towards - none), atol=1e-5)
    assert not torch.allclose(none, towards, atol=1e-3)


def test_inside_keeps_the_original_where_it_has_no_weight(model: DiffusionModel) -> None:
    original = cloudy((SIZE, SIZE, 3), 5)
    weight = np.zeros((SIZE, SIZE), np.float32)
    weight[4:10, 5:12] = 1
    weight[4, 5:12] = 0.25
    request = Inside(9, 0.5, "a", original, weight)
    [made] = model.inside([request], Sampling(steps=STEPS, batch=2), 0.5)
    assert np.array_equal(made[weight == 0], original[weight == 0])
    assert (made[weight == 1] != original[weight == 1]).mean() > 0.8
    faint = Inside(9, 0.5, "a", original, weight * np.float32(0.0))
    assert np.array_equal(model.inside([faint], Sampling(steps=STEPS, batch=2), 0.5)[0], original)


def test_less_noise_keeps_more_of_the_original(tmp_path: Path) -> None:
    """With random weights what is predicted is noise: the shorter the way, the nearer the result stays."""
    model = load(tmp_path, ["one"])
    original = cloudy((SIZE, SIZE, 3), 6)
    weight = np.ones((SIZE, SIZE), np.float32)
    sampling = Sampling(steps=50, batch=1)
    changes = [
        np.abs(
            model.inside([Inside(2, 0.0, "one", original, weight)], sampling, start)[0] - original.astype(int)
        )
        for start in (0.04, 0.3, 1.0)
    ]
    assert changes[0].mean() < changes[1].mean() < changes[2].mean()


def test_a_batch_that_does_not_fit_is_told_with_one_that_would(
    model: DiffusionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = model._unet

    def small_memory(images: torch.Tensor, *arguments: Any, **named: Any) -> Any:
        if len(images) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return network(images, *arguments, **named)

    small_memory.dtype = network.dtype  # type: ignore[attr-defined]
    monkeypatch.setattr(model, "_unet", small_memory)
    with pytest.raises(RunError, match=r"batch of 16 .* 2 would: set sampling.batch to 2 .* another --out"):
        model.whole(REQUESTS, Sampling(steps=2, batch=16))
    assert len(model.whole(REQUESTS, Sampling(steps=2, batch=2))) == len(REQUESTS)


def test_another_failure_of_the_network_is_not_taken_for_a_lack_of_memory(
    model: DiffusionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("something else")

    broken.dtype = torch.float32  # type: ignore[attr-defined]
    monkeypatch.setattr(model, "_unet", broken)
    with pytest.raises(RuntimeError, match="something else"):
        model.whole(REQUESTS, Sampling(steps=2, batch=2))
