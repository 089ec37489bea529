"""The samples of a plan in batches that lie ready on a device, for a training loop."""

import os
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from synthgen.errors import InputError, SynthgenError, TransientError
from synthgen.pipeline.pipeline import BATCH_SIZE, Pipeline
from synthgen.plan.plan import Plan
from synthgen.runtime.devices import chosen_device
from synthgen.runtime.memory import keep_freed_memory
from synthgen.runtime.processes import follow_parent, one_thread, process_context
from synthgen.sample import Sample

DEVICES = ("auto", "cpu", "cuda")


class DeviceBatch(NamedTuple):
    """Some samples of a plan on one device, in the order of their indices.

    Images lie in memory as ``torch.channels_last`` has them.
    """

    image: Tensor
    """(B, C, H, W) uint8."""
    mask: Tensor
    """(B, 1, H, W) uint8, 0 and 1."""
    normal: Tensor
    """(B, C, H, W) uint8: the paired normal images."""
    label: Tensor
    """(B,) int64: 0 normal, 1 anomalous."""
    indices: range
    """The samples' numbers in the plan."""


class DeviceLoader:
    """The samples of a plan in batches on a device, made by other processes while the last ones are used.

    Every pass has the same samples in the same order, whatever the workers. The last batch may be smaller.
    A script that uses workers keeps its own work below ``if __name__ == "__main__"``, since they import it.
    Only the normal images and what lies in the defects' boxes go to the device; they are put together there.
    """

    def __init__(
        self, plan: Plan, device: str = "auto", batch_size: int = BATCH_SIZE, workers: int | None = None
    ) -> None:
        """``device``: auto, cpu or cuda, which is torch's current GPU.

        ``workers`` are processes that make samples on the CPU; with 0 this one does, networks on the device.
        Without a number there is one for each core, and none where networks run on a GPU.
        Raises InputError for a device that is not there, and for a number below 1, or below 0 of workers.
        """
        _require_at_least("batch_size", batch_size, 1)
        _require_at_least("workers", 0 if workers is None else workers, 0)
        if device not in DEVICES:
            raise InputError(f"device {device!r}: expected {', '.join(DEVICES[:-1])} or {DEVICES[-1]}")
        self.plan = plan
        self._device = chosen_device(device)
        self._on_gpu = self._device == "cuda"
        self._batch_size = batch_size
        self._workers = _default_workers(plan, self._on_gpu) if workers is None else workers

    def __len__(self) -> int:
        """The number of batches."""
        return ceil(self.plan.recipe.count / self._batch_size)

    def __iter__(self) -> Iterator[DeviceBatch]:
        """A pass over the plan. Raises what making a sample raises."""
        stream = torch.cuda.Stream(self._device) if self._on_gpu else None  # type: ignore[no-untyped-call]
        following: DeviceBatch | None = None
        for made in _explained(self._made()):
            if isinstance(made, _Failure):
                raise made.error_type(made.message)
            with torch.cuda.stream(stream):  # does nothing for None
                placed = _placed(made, self._device)
            if following:
                yield _handed_over(following, stream)
            following = placed
        if following:
            yield _handed_over(following, stream)

    def _made(self) -> Iterator["_Made | _Failure"]:
        batches = _Batches(self.plan, self._batch_size, "cpu" if self._workers else self._device)
        loader: DataLoader[_Made | _Failure] = DataLoader(
            batches,
            batch_size=None,
            num_workers=self._workers,
            # Forks of a process that has used OpenCV's threads hang where they set the number of theirs.
            multiprocessing_context=process_context([__name__]) if self._workers else None,
            collate_fn=_as_it_is,
            pin_memory=self._on_gpu,
            worker_init_fn=_begin_work,
        )
        return iter(loader)


class _Made(NamedTuple):
    """A batch as it travels: normal images, and what is different in the boxes of their defects."""

    normals: Tensor
    """(B, H, W, C) uint8."""
    boxes: list[list[int]]
    """Left, top, right, bottom of each; zeros where nothing is different."""
    pixels: Tensor
    """(N, C) uint8: the images inside all boxes, one after the other, row by row."""
    mask: Tensor
    """(N,) uint8, 0 and 1: the masks there."""
    labels: Tensor
    indices: range


class _Failure(NamedTuple):
    """Why a batch could not be made."""

    error_type: type[SynthgenError]
    message: str


class _Batches(Dataset["_Made | _Failure"]):
    """The batches of a plan; every process that asks has a pipeline, and so a cache, of its own."""

    def __init__(self, plan: Plan, size: int, device: str) -> None:
        self._plan, self._size, self._device = plan, size, device
        self._pipeline: Pipeline | None = None

    def __len__(self) -> int:
        return ceil(self._plan.recipe.count / self._size)

    def __getitem__(self, number: int) -> "_Made | _Failure":
        first = number * self._size
        indices = range(first, min(first + self._size, self._plan.recipe.count))
        try:
            self._pipeline = self._pipeline or Pipeline(self._plan, self._device)
            return _packed(list(self._pipeline.samples(indices)), indices)
        except SynthgenError as error:
            # As a value, because a loader adds the traceback of the worker to what is raised.
            return _Failure(type(error), str(error))


def _explained(made: Iterator["_Made | _Failure"]) -> Iterator["_Made | _Failure"]:
    """The same, where the end of a worker is one sentence."""
    try:
        yield from made
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise TransientError(
            "a worker of the loader ended unexpectedly: it was killed, perhaps for memory, or it could not "
            'import this program, whose own work belongs below if __name__ == "__main__"; run it again, with '
            "fewer workers if memory was short"
        ) from error


def _packed(samples: Sequence[Sample], indices: range) -> _Made:
    boxes = [sample.facts.box for sample in samples]
    inside = [(slice(top, bottom), slice(left, right)) for left, top, right, bottom in boxes]
    channels = samples[0].image.shape[2]
    pixels = [
        sample.image[where].reshape(-1, channels) for sample, where in zip(samples, inside, strict=True)
    ]
    masks = [sample.mask[where].ravel() > 0 for sample, where in zip(samples, inside, strict=True)]
    return _Made(
        torch.from_numpy(np.stack([sample.normal for sample in samples])),
        boxes,
        torch.from_numpy(np.concatenate(pixels)),
        torch.from_numpy(np.concatenate(masks).view(np.uint8)),
        torch.tensor([sample.facts.label for sample in samples]),
        indices,
    )


def _placed(made: _Made, device: str) -> DeviceBatch:
    """Put a batch together on the device."""
    normals, pixels, mask_values, labels = (
        each.to(device, non_blocking=True) for each in (made.normals, made.pixels, made.mask, made.labels)
    )
    images, masks = normals.clone(), normals.new_zeros(normals.shape[:3])
    first = 0
    for number, (left, top, right, bottom) in enumerate(made.boxes):
        where = (number, slice(top, bottom), slice(left, right))
        shape = (bottom - top, right - left)
        last = first + shape[0] * shape[1]
        images[where] = pixels[first:last].view(*shape, pixels.shape[1])
        masks[where] = mask_values[first:last].view(shape)
        first = last
    return DeviceBatch(
        images.permute(0, 3, 1, 2), masks[:, None], normals.permute(0, 3, 1, 2), labels, made.indices
    )


def _handed_over(batch: DeviceBatch, stream: "torch.cuda.Stream | None") -> DeviceBatch:
    """The batch for use on the current stream, which waits for the one that it was copied on."""
    if stream:
        current = torch.cuda.current_stream(stream.device)
        current.wait_stream(stream)
        for tensor in (batch.image, batch.mask, batch.normal, batch.label):
            tensor.record_stream(current)
    return batch


def _default_workers(plan: Plan, on_gpu: bool) -> int:
    recipe = plan.recipe
    networks = bool(recipe.judge.abnormal) or any(each.runs_network for each in recipe.synthesizers)
    return 0 if on_gpu and networks else len(os.sched_getaffinity(0))


def _require_at_least(name: str, number: int, least: int) -> None:
    if not isinstance(number, int) or number < least:
        raise InputError(f"{name} is {number!r}; give a whole number of {least} or more")


def _as_it_is(batch: Any) -> Any:
    return batch


def _begin_work(_: int) -> None:
    follow_parent()
    one_thread()
    keep_freed_memory()  # of one sample for the next
