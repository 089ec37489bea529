"""One process that makes samples, in three stages with bounded queues: decode, render, encode.

While a batch is rendered, the next one is decoded and the last one encoded: on a GPU the network need not
wait for the codecs, and on a CPU the codecs, which hold no lock of the interpreter, share the cores.
"""

import gc
import os
import signal
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

from server.workers.encoding import formed
from server.workers.jobs import Batch, Done, Failed, Job, News, Ready, Timed
from server.workers.pipelines import Plans, RefusedImagesError
from server.workers.shared_memory import send_news
from synthgen.engines.worker import worker_device
from synthgen.errors import InputError, SynthgenError
from synthgen.pipeline.pipeline import Draft, Pipeline, complete
from synthgen.runtime.devices import torch_device
from synthgen.runtime.processes import one_thread

NICENESS = 5
"""The process that answers comes first: what waits for it are requests, and all that it does is short."""
SWITCH_SECONDS = 0.001
"""How long a thread may keep the interpreter from another stage."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process needs to know of the settings."""

    device: str
    number: int
    """Which of its lane's processes it is; the GPUs are taken in turn."""
    max_image_pixels: int
    max_sample_pixels: int
    models: tuple[str, ...]
    """Diffusion models to load before anybody asks for them."""


@dataclass(slots=True)
class Work:
    """A job between the stages."""

    job: Job
    pipeline: Pipeline
    device: str
    drafts: list[Draft]


@dataclass(slots=True)
class InMaking:
    """A batch between the stages."""

    work: list[Work] = field(default_factory=list)
    samples: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


def serve(connection: Connection, limits: Limits) -> None:
    """Do the batches that come, until nobody is there any more."""
    # Whoever stops the service stops this process, when what is under way is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    one_thread()
    os.nice(NICENESS)
    sys.setswitchinterval(SWITCH_SECONDS)
    tell = _sender(connection)
    stages = Stages(limits, tell)
    # Samples make no cycles: what was imported need not be searched for them over and over.
    gc.freeze()
    tell(Ready())
    try:
        while (batch := connection.recv()) is not None:
            stages.put(batch)
    except (EOFError, ConnectionResetError):
        os._exit(1)
    stages.finish()


class Stages:
    """Three threads, each of which hands on what it is done with; nothing is made twice at the same time."""

    def __init__(self, limits: Limits, tell: Callable[[News], None]) -> None:
        self._limits, self._tell = limits, tell
        self._plans = Plans(limits.max_image_pixels, limits.max_sample_pixels)
        for model in limits.models:
            self._plans.load(model, torch_device(limits.device, limits.number))
        self._decode: Queue[Batch | None] = Queue(2)
        self._render: Queue[InMaking | None] = Queue(1)
        self._encode: Queue[InMaking | None] = Queue(1)
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
            making = InMaking()
            for job in batch.jobs:
                self._attempt(job, partial(self._begin, job, making))
            making.samples = sum(len(work.drafts) for work in making.work)
            making.seconds["decode"] = time.perf_counter() - started
            self._render.put(making)
        self._render.put(None)

    def _rendering(self) -> None:
        while (making := self._render.get()) is not None:
            started = time.perf_counter()
            making.work = self._rendered(making.work)
            making.seconds["render"] = time.perf_counter() - started
            self._encode.put(making)
        self._encode.put(None)

    def _encoding(self) -> None:
        while (making := self._encode.get()) is not None:
            started = time.perf_counter()
            for work in making.work:
                self._attempt(work.job, partial(self._encode_one, work))
            making.seconds["encode"] = time.perf_counter() - started
            self._tell(Timed(making.samples, making.seconds))

    def _begin(self, job: Job, making: InMaking) -> None:
        making.work.append(self._begun(job))

    def _encode_one(self, work: Work) -> None:
        self._tell(_encoded(work))

    def _begun(self, job: Job) -> Work:
        pipeline = self._plans.pipeline(job.origin)
        device = worker_device(self._limits.device, self._limits.number, pipeline.plan.recipe)
        return Work(job, pipeline, device, [pipeline.begin(index) for index in job.indices])

    def _rendered(self, works: list[Work]) -> list[Work]:
        """All of a device together; where that fails, one by one, so that only what is to blame fails."""
        done: list[Work] = []
        for device in dict.fromkeys(work.device for work in works):
            some = [work for work in works if work.device == device]
            try:
                complete([draft for work in some for draft in work.drafts], device)
                done += some
            except Exception as error:
                if len(some) == 1:
                    self._tell(_failure(some[0].job, error))
                    continue
                for work in some:
                    again = self._begun(work.job)
                    if self._attempt(work.job, partial(complete, again.drafts, again.device)):
                        done.append(again)
        return done

    def _attempt(self, job: Job, what: Callable[[], Any]) -> bool:
        try:
            what()
        except Exception as error:
            self._tell(_failure(job, error))
            return False
        return True


def _encoded(work: Work) -> Done:
    samples = [work.pipeline.finish(draft) for draft in work.drafts]
    plan = work.pipeline.plan
    return Done(work.job.number, plan.fingerprint, formed(work.job.form, samples, plan.recipe.output))


def _failure(job: Job, error: Exception) -> Failed:
    if isinstance(error, RefusedImagesError):
        return Failed(job.number, str(error), True, tuple(error.faults))
    if isinstance(error, SynthgenError):
        return Failed(job.number, str(error), isinstance(error, InputError))
    traceback.print_exception(error)
    return Failed(job.number, f"a worker failed ({type(error).__name__}: {error}); this is a bug", False)


def _sender(connection: Connection) -> Callable[[News], None]:
    """Sends news, one at a time; what nobody is there to hear is dropped."""
    lock = threading.Lock()

    def tell(news: News) -> None:
        with lock:
            try:
                send_news(connection, news)
            except (BrokenPipeError, ConnectionResetError):
                os._exit(1)

    return tell
