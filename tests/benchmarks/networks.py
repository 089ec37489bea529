"""What the benchmark of diffusion times: networks with random weights, and ways to run them."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import DDPMScheduler, UNet2DModel
from torch.utils.flop_counter import FlopCounterMode

from synthgen.diffusion.model import DiffusionModel, Whole
from synthgen.diffusion.model_files import ModelFacts, write_model
from synthgen.diffusion.sampling import Sampling
from synthgen.diffusion.training.network import new_network, new_scheduler
from synthgen.diffusion.training.presets import PresetName
from synthgen.diffusion.training.settings import TrainingSettings
from synthgen.errors import RunError

STEPS = 20
MATRIX_SIDE = 8192


class Timing(NamedTuple):
    """What was made in how long."""

    images: int
    seconds: float

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images / self.seconds

    def step(self, batch: int) -> float:
        """Milliseconds a step."""
        return 1000 * batch / self.rate / STEPS


@contextmanager
def model_of(preset: PresetName) -> Iterator[Path]:
    """A model of colour images with random weights, in a directory for the time being."""
    settings = settings_of(preset)
    facts = ModelFacts(
        size=settings.size,
        channels=3,
        packing=settings.packing,
        view="image",
        image_size=(settings.size, settings.size),
        categories=["none"],
        trained_on=0,
        training={},
    )
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), new_network(settings, 3, 1), new_scheduler(settings), facts, card="")
        yield Path(folder)


def settings_of(preset: PresetName) -> TrainingSettings:
    """The preset at its own size."""
    return TrainingSettings(preset=preset, size=size_of(preset))


def size_of(preset: PresetName) -> int:
    """Side of the images, pixels."""
    return 64 if preset == "tiny" else 256


def matmul_rate(dtype: torch.dtype, seconds: float, device: str) -> float:
    """Floating-point operations a second of a large matrix product."""
    left, right = (torch.ones(MATRIX_SIDE, MATRIX_SIDE, dtype=dtype, device=device) for _ in range(2))

    def multiply() -> None:
        for _ in range(10):
            product = left @ right
        product[0, 0].item()

    multiply()
    return timed(multiply, 10, seconds).rate * 2 * MATRIX_SIDE**3


def plain_network(preset: PresetName, device: str) -> UNet2DModel:
    """The network in float32."""
    return new_network(settings_of(preset), 3, 1).eval().to(device)


def operations_of(unet: UNet2DModel, device: str) -> int:
    """Floating-point operations of one step for one image, a multiply-add counted as two."""
    side, channels = unet.config.sample_size, unet.config.in_channels
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        unet(torch.zeros(1, channels, side, side, device=device), 0)
    return int(counter.get_total_flops())


def plain_loop(unet: UNet2DModel, preset: PresetName, batch: int, device: str) -> Callable[[], None]:
    """Sampling as diffusers' own pipeline does it."""
    scheduler: DDPMScheduler = new_scheduler(settings_of(preset))
    scheduler.set_timesteps(STEPS)
    side, channels = unet.config.sample_size, unet.config.in_channels

    @torch.inference_mode()
    def run() -> None:
        generator = torch.Generator(device).manual_seed(0)
        x = torch.randn(batch, channels, side, side, device=device, generator=generator)
        for timestep in scheduler.timesteps:
            x = scheduler.step(unet(x, timestep).sample, timestep, x, generator=generator).prev_sample
        x.cpu()

    return run


def whole_images(model: DiffusionModel, batch: int) -> Callable[[], Any]:
    """Sampling of one batch by this project's sampler."""
    requests = [Whole(number, 0.1, model.facts.categories[0]) for number in range(batch)]
    sampling = Sampling(steps=STEPS, batch=batch)
    return lambda: model.whole(requests, sampling)


def timed(make: Callable[[], Any], images: int, seconds: float) -> Timing:
    """Call it, for some images each time, until some seconds are over."""
    start = time.perf_counter()
    calls = 0
    while calls == 0 or time.perf_counter() - start < seconds:
        make()
        calls += 1
    return Timing(calls * images, time.perf_counter() - start)


def timed_if_it_fits(make: Callable[[], Any], images: int, seconds: float) -> Timing | None:
    """The same after a first call; None where the device's memory is too small."""
    try:
        make()
        return timed(make, images, seconds)
    except (torch.OutOfMemoryError, RunError):
        return None
    finally:
        torch.cuda.empty_cache()
