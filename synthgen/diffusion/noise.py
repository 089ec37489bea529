"""The noise of a batch, each sample's from its own stream, the same numbers for every device."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from synthgen.streams import Stream

DRAWS_AHEAD = 3
"""Draws that wait, at most, on either side for the steps before: what they hold stays small."""


class NoiseOnCpu:
    """Noise (B, *shape) of a batch whose samples have these seeds, drawn when it is asked for."""

    def __init__(self, seeds: Sequence[int], shape: Sequence[int]) -> None:
        self._seeds, self._shape = seeds, shape

    def __call__(self, number: int) -> Tensor:
        """The noise of one draw."""
        return torch.from_numpy(np.stack([_gaussian(seed, number, self._shape) for seed in self._seeds]))


class NoiseAhead:
    """The same for a GPU, which does not wait for it: earlier steps are computed in the meantime.

    Threads draw into memory that the device reads by itself, and the copies have a stream of their own.
    ``draws`` are all that will be asked for, from 0, each once and in order.
    """

    def __init__(
        self, seeds: Sequence[int], shape: Sequence[int], draws: int, device: str, threads: ThreadPoolExecutor
    ) -> None:
        self._seeds, self._shape, self._draws = seeds, shape, draws
        self._device, self._threads = device, threads
        self._on_gpu = device != "cpu"
        self._copies = torch.cuda.Stream(device) if self._on_gpu else None  # type: ignore[no-untyped-call]
        self._drawing: deque[tuple[Tensor, list[Future[None]]]] = deque()
        self._used: deque[torch.cuda.Event] = deque()
        for number in range(min(DRAWS_AHEAD, draws)):
            self._begin(number)

    def __call__(self, number: int) -> Tensor:
        """The noise of one draw."""
        noise, parts = self._drawing.popleft()
        for part in parts:
            part.result()
        if number + DRAWS_AHEAD < self._draws:
            self._begin(number + DRAWS_AHEAD)
        return self._copied(noise)

    def _begin(self, number: int) -> None:
        noise = torch.empty(len(self._seeds), *self._shape, pin_memory=self._on_gpu)
        memory = noise.numpy()  # torch lets no thread without inference mode write to what began in it
        parts = [
            self._threads.submit(_fill, memory[place], seed, number) for place, seed in enumerate(self._seeds)
        ]
        self._drawing.append((noise, parts))

    def _copied(self, noise: Tensor) -> Tensor:
        if self._copies is None:
            return noise
        if len(self._used) >= DRAWS_AHEAD:
            self._used.popleft().synchronize()  # the host does not fill the device's memory, either
        with torch.cuda.stream(self._copies):
            there = noise.to(self._device, non_blocking=True)
        current = torch.cuda.current_stream(self._device)
        current.wait_stream(self._copies)
        there.record_stream(current)
        self._used.append(current.record_event())
        return there


def _fill(memory: npt.NDArray[np.float32], seed: int, number: int) -> None:
    memory[...] = _gaussian(seed, number, memory.shape)


def _gaussian(seed: int, number: int, shape: Sequence[int]) -> npt.NDArray[np.float32]:
    # numpy draws without holding the interpreter's lock.
    return Stream(seed, number, "noise").gaussian(shape)
