"""A trained model in memory, sampled in batches of one size, every sample from its own stream of noise."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from synthgen.diffusion.model_files import model_directory, read_facts, scheduler_config
from synthgen.diffusion.network_files import read_network
from synthgen.diffusion.noise import NoiseAhead, NoiseOnCpu
from synthgen.diffusion.packing import packed, unpacked
from synthgen.diffusion.prediction import NetworkOutput
from synthgen.diffusion.sampler import (
    Network,
    NoiseSource,
    ReverseProcess,
    ancestral_step,
    ddim_step,
    sample,
    sample_inside,
    strength_over_time,
)
from synthgen.diffusion.sampling import Sampling
from synthgen.diffusion.schedule import Schedule, schedule_from_config
from synthgen.diffusion.tensors import from_network, to_network
from synthgen.errors import InputError, RunError
from synthgen.images.pixels import Pixels
from synthgen.runtime.extras import require_extra
from synthgen.runtime.memory import is_out_of_memory
from synthgen.runtime.threads import one_torch_thread

if TYPE_CHECKING:
    from diffusers import UNet2DModel

STEPS = {"ancestral": ancestral_step, "ddim": ddim_step}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole image that is to be made from noise."""

    noise_seed: int
    strength: float
    category: str


@dataclass(frozen=True, slots=True)
class Inside(Whole):
    """A part of an image that is to be made anew."""

    original: Pixels = field(repr=False)
    """(S, S, C) uint8, as large as the model's images."""
    weight: npt.NDArray[np.float32] = field(repr=False)
    """(S, S) in [0, 1]: how much of the new picture shows; 0 keeps the original."""


class DiffusionModel:
    """A model on one device. Not for several threads at once."""

    def __init__(self, directory: Path, device: str = "cpu") -> None:
        """Load a directory that `synthgen sdas train` wrote. Raises InputError where it is not whole."""
        require_extra("sdas", "a diffusion model")
        self.facts = read_facts(directory)
        self._directory = directory
        self._device = device
        self._config = scheduler_config(directory)
        self._network_output = NetworkOutput.from_config(self._config)
        self._schedule = lru_cache(maxsize=8)(lambda steps: schedule_from_config(self._config, steps))
        self._unet = self._load()

    @property
    def side(self) -> int:
        """Side of the square images, pixels."""
        return self.facts.size

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return self.facts.channels

    def whole(self, requests: Sequence[Whole], sampling: Sampling) -> list[Pixels]:
        """Make images (S, S, C) uint8 from noise, with SDAS's strength (RealNet, CVPR 2024, eq. 4)."""
        schedule = self._schedule(sampling.steps)

        def make(some: Sequence[Whole]) -> Tensor:
            return sample(
                self._process(some, schedule, sampling),
                self._noise(some, schedule),
                self._strengths(some, schedule, sampling),
                STEPS[sampling.sampler],
            )

        return self._in_batches(requests, sampling.batch, make)

    def inside(self, requests: Sequence[Inside], sampling: Sampling, start: float) -> list[Pixels]:
        """Noise images up to the share ``start`` of the way, and make them anew where their weights say."""
        whole_way = self._schedule(sampling.steps)
        schedule = whole_way.last(max(1, round(start * len(whole_way))))

        def make(some: Sequence[Inside]) -> Tensor:
            weights = torch.from_numpy(np.stack([each.weight for each in some]))[:, None]
            return sample_inside(
                self._process(some, schedule, sampling),
                self._noise(some, schedule),
                self._strengths(some, schedule, sampling),
                to_network(np.stack([each.original for each in some])).to(self._device),
                weights.to(self._device),
            )

        return self._in_batches(requests, sampling.batch, make)

    def _in_batches(
        self, requests: Sequence[Any], batch: int, make: Callable[[Sequence[Any]], Tensor]
    ) -> list[Pixels]:
        """Always the same batch size, because another one would change the last bits."""
        made: list[Pixels] = []
        threads = one_torch_thread() if self._device == "cpu" else nullcontext()
        with threads, torch.inference_mode():
            for first in range(0, len(requests), batch):
                some = list(requests[first : first + batch])
                padding = [some[-1]] * (batch - len(some))
                images = self._where_it_fits(make, [*some, *padding])
                made.extend(images[: len(some)])
        return made

    def _where_it_fits(self, make: Callable[[Sequence[Any]], Tensor], requests: Sequence[Any]) -> Pixels:
        try:
            return from_network(make(requests))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        # Only here, after the error and all that it held in memory are gone.
        raise self._too_large(len(requests))

    def _process(self, requests: Sequence[Whole], schedule: Schedule, sampling: Sampling) -> ReverseProcess:
        return ReverseProcess(self._network(requests, sampling.guidance), schedule, self._network_output)

    def _network(self, requests: Sequence[Whole], guidance: float) -> Network:
        """The network as a function of images and timesteps, for the requests' categories."""
        if not self.facts.conditional:
            return self._predictor(None)
        classes = [self.facts.categories.index(request.category) for request in requests]
        towards = self._predictor(torch.tensor(classes, device=self._device))
        if guidance == 1:
            return towards
        none = self._predictor(torch.full((len(classes),), len(self.facts.categories), device=self._device))

        def guided(images: Tensor, timesteps: Tensor) -> Tensor:
            # Ho & Salimans (2022), eq. 6; a learned variance stays that of the category.
            conditional, unconditional = towards(images, timesteps), none(images, timesteps)
            channels = images.shape[1]
            difference = conditional[:, :channels] - unconditional[:, :channels]
            return torch.cat(
                [unconditional[:, :channels] + guidance * difference, conditional[:, channels:]], dim=1
            )

        return guided

    def _predictor(self, labels: Tensor | None) -> Network:
        side = self.facts.packing

        def predict(images: Tensor, timesteps: Tensor) -> Tensor:
            small = packed(images, side).to(self._unet.dtype, memory_format=torch.channels_last)
            output = self._unet(small, timesteps, class_labels=labels).sample
            return unpacked(output.float(), side)

        return predict

    def _noise(self, requests: Sequence[Whole], schedule: Schedule) -> NoiseSource:
        seeds = [request.noise_seed for request in requests]
        shape = (self.facts.channels, self.facts.size, self.facts.size)
        if self._device == "cpu":
            return NoiseOnCpu(seeds, shape)
        return NoiseAhead(seeds, shape, len(schedule), self._device, self._threads)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        """Those that draw noise for a GPU."""
        return ThreadPoolExecutor()

    def _strengths(self, requests: Sequence[Whole], schedule: Schedule, sampling: Sampling) -> Tensor:
        strengths = torch.tensor([request.strength for request in requests], device=self._device)
        return strength_over_time(strengths, schedule, sampling.strength_over_time)

    def _load(self) -> "UNet2DModel":
        half = torch.bfloat16 if self._device.startswith("cuda") else torch.float32
        unet = read_network(f"model {self._directory}", self._directory / "unet", half)
        expected = (self.facts.size // self.facts.packing, self.facts.channels * self.facts.packing**2)
        if (unet.config.sample_size, unet.config.in_channels) != expected:
            raise InputError(
                f"model {self._directory}: the network takes {unet.config.in_channels} channels at "
                f"{unet.config.sample_size} pixels, and synthgen.json says {expected[1]} at {expected[0]}; "
                "the files are of different models"
            )
        found = unet.config.num_class_embeds
        classes = len(self.facts.categories) + 1 if self.facts.conditional else None
        if found != classes:
            raise InputError(
                f"model {self._directory}: the network has {found or 'no'} classes, and the categories of "
                f"synthgen.json ask for {classes or 'none'}; the files are of different models"
            )
        return unet.eval().to(self._device, memory_format=torch.channels_last)

    def _too_large(self, batch: int) -> RunError:
        """Find the batch that would fit, by trying."""
        asked, size, channels = batch, self.facts.size, self.facts.channels
        while batch > 1:
            batch //= 2
            torch.cuda.empty_cache()
            try:
                shape = (batch, channels, size, size)
                labels = torch.zeros(batch, dtype=torch.int64, device=self._device)
                network = self._predictor(labels if self.facts.conditional else None)
                network(torch.zeros(shape, device=self._device), labels)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                continue
            return RunError(
                f"a batch of {asked} does not fit in the memory of {self._device}; {batch} would: set "
                f"sampling.batch to {batch} (that changes the samples' last bits, so another --out is needed)"
            )
        return RunError(f"not even one image of {size} x {size} fits in the memory of {self._device}")


def load_model(name: str | Path, device: str = "cpu") -> DiffusionModel:
    """Load a model: a directory that `synthgen sdas train` wrote, or ``builtin``. Raises InputError."""
    return DiffusionModel(model_directory(str(name)), device)
