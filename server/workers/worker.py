"""One process that makes samples, in three stages with bounded queues: decode, render, encode.

While a batch is rendered, the next one is decoded and the last one encoded: on a GPU the network need not
wait for the codecs, and on a CPU the codecs, which hold no lock of the interpreter, share the cores.
"""

import gc
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from queue import Queue
from typing import Any

from server.workers.encoding import encode_samples
from server.workers.jobs import Batch, Done, Failed, Job, Message, Ready, Timed
from server.workers.pipelines import Plans, RefusedImagesError
from server.workers.shared_memory import send_message
from synthgen.engines.worker import worker_device
from synthgen.errors import InputError, SynthgenError
from synthgen.pipeline.drafts import Draft, complete
from synthgen.pipeline.pipeline import Pipeline
from synthgen.runtime.devices import torch_device
from synthgen.runtime.processes import follow_parent, one_thread

NICENESS = 5
"""The HTTP process comes first: requests wait for it, and all that it does is short."""
SWITCH_SECONDS = 0.001
"""How long a thread may keep the interpreter from another stage."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process needs to know of the settings."""

    device: str
    number: int
    """Which of its worker pool's processes it is; the GPUs are taken in turn."""
    max_image_pixels: int
    max_sample_pixels: int
    models: tuple[str, ...]
    """Diffusion models to load before the first job."""


@dataclass(slots=True)
class StagedJob:
    """A job between the stages."""

    job: Job
    pipeline: Pipeline
    device: str
    drafts: list[Draft]


@dataclass(slots=True)
class StagedBatch:
    """A batch between the stages."""

    jobs: list[StagedJob] = field(default_factory=list)
    samples: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


def serve(connection: Connection, limits: Limits) -> None:
    """Do the batches that come, until nobody is there any more."""
    follow_parent()
    one_thread()
    os.nice(NICENESS)
    sys.setswitchinterval(SWITCH_SECONDS)
    report = _sender(connection)
    stages = Stages(limits, report)
    # Samples make no cycles: what was imported need not be searched for them over and over.
    gc.freeze()
    report(Ready())
    try:
        while (batch := connection.recv()) is not None:
            stages.put(batch)
    except (EOFError, ConnectionResetError):
        os._exit(1)
    stages.finish()


class Stages:
    """Three threads, each of which hands on what it is done with; nothing is made twice at the same time."""

    def __init__(self, limits: Limits, report: Callable[[Message], None]) -> None:
        self._limits, self._report = limits, report
        self._plans = Plans(limits.max_image_pixels, limits.max_sample_pixels)
        for model in limits.models:
            self._plans.load(model, torch_device(limits.device, limits.number))
        self._decode: Queue[Batch | None] = Queue(2)
        self._render: Queue[StagedBatch | None] = Queue(1)
        self._encode: Queue[StagedBatch | None] = Queue(1)
        self._threads = [
            threading.Thread(target=stage, daemon=True)
            for stage in (self._decoding, self._rendering, self._encoding)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, batch: Batch) -> None:
        """Let a batch begin; waits where the stages are full."""
        self._decode.put(batch)

    def finish(self) -> None:
        """Wait until all is done."""
        self._decode.put(None)
        for thread in self._threads:
            thread.join()

    def _decoding(self) -> None:
        while (batch := self._decode.get()) is not None:
            for name, plan in batch.plans.items():
                self._plans.learn(name, plan)
            started = time.perf_counter()
            staged = StagedBatch()
            for job in batch.jobs:
                self._attempt(job, partial(self._begin, job, staged))
            staged.samples = sum(len(each.drafts) for each in staged.jobs)
            staged.seconds["decode"] = time.perf_counter() - started
            self._render.put(staged)
        self._render.put(None)

    def _rendering(self) -> None:
        while (staged := self._render.get()) is not None:
            started = time.perf_counter()
            staged.jobs = self._rendered(staged.jobs)
            staged.seconds["render"] = time.perf_counter() - started
            self._encode.put(staged)
        self._encode.put(None)

    def _encoding(self) -> None:
        while (staged := self._encode.get()) is not None:
            started = time.perf_counter()
            for each in staged.jobs:
                self._attempt(each.job, partial(self._encode_one, each))
            staged.seconds["encode"] = time.perf_counter() - started
            self._report(Timed(staged.samples, staged.seconds))

    def _begin(self, job: Job, staged: StagedBatch) -> None:
        staged.jobs.append(self._begun(job))

    def _encode_one(self, staged: StagedJob) -> None:
        self._report(_encoded(staged))

    def _begun(self, job: Job) -> StagedJob:
        pipeline = self._plans.pipeline(job.origin)
        device = worker_device(self._limits.device, self._limits.number, pipeline.plan.recipe)
        return StagedJob(job, pipeline, device, [pipeline.begin(index) for index in job.indices])

    def _rendered(self, jobs: list[StagedJob]) -> list[StagedJob]:
        """All of a device together; where that fails, one by one, so that only what is to blame fails."""
        done: list[StagedJob] = []
        for device in dict.fromkeys(staged.device for staged in jobs):
            some = [staged for staged in jobs if staged.device == device]
            try:
                complete([draft for staged in some for draft in staged.drafts], device)
                done += some
            except Exception as error:
                if len(some) == 1:
                    self._report(_failure(some[0].job, error))
                    continue
                for staged in some:
                    again = self._begun(staged.job)
                    if self._attempt(staged.job, partial(complete, again.drafts, again.device)):
                        done.append(again)
        return done

    def _attempt(self, job: Job, what: Callable[[], Any]) -> bool:
        try:
            what()
        except Exception as error:
            self._report(_failure(job, error))
            return False
        return True


def _encoded(staged: StagedJob) -> Done:
    samples = [staged.pipeline.finish(draft) for draft in staged.drafts]
    plan = staged.pipeline.plan
    return Done(
        staged.job.number, plan.fingerprint, encode_samples(staged.job.encoding, samples, plan.recipe.output)
    )


def _failure(job: Job, error: Exception) -> Failed:
    if isinstance(error, RefusedImagesError):
        return Failed(job.number, str(error), True, tuple(error.faults))
    if isinstance(error, SynthgenError):
        return Failed(job.number, str(error), isinstance(error, InputError))
    traceback.print_exception(error)
    return Failed(job.number, f"a worker failed ({type(error).__name__}: {error}); this is a bug", False)


def _sender(connection: Connection) -> Callable[[Message], None]:
    """Sends messages, one at a time; the process ends where nobody is there to receive them."""
    lock = threading.Lock()

    def report(message: Message) -> None:
        with lock:
            try:
                send_message(connection, message)
            except (BrokenPipeError, ConnectionResetError):
                os._exit(1)

    return report
