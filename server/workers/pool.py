"""A worker pool: a queue, and processes that do its jobs. Diffusion has its own: nobody else waits for it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from server.http.problems import Fault, Problem, later, refused, without_folders
from server.workers.jobs import Done, Failed, Job, Message, Ready, Stored, Timed
from server.workers.process import WorkerProcess
from server.workers.queue import FairQueue
from synthgen.plan.plan import Plan

BATCHES_AHEAD = 2
"""Batches that a process has at a time: one under way, and one so that it need not wait for the next."""
RATE_MEMORY = 0.9
"""How much of the measured rate is kept when a batch is done."""


class Observer(Protocol):
    """Counts what happens in a worker pool, for the metrics."""

    def batch(self, pool: str, timed: Timed) -> None:
        """A batch is done."""

    def worker_lost(self, pool: str) -> None:
        """A worker process was lost."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a worker pool takes upon itself."""

    jobs: int
    """Jobs that wait or are under way."""
    held_bytes: int
    """Bytes of the images that requests brought, and of their samples that nobody has taken yet."""
    seconds: float
    """Longest time for a job."""
    jobs_together: int
    """Most jobs of a batch."""


class Hold:
    """Bytes that one request keeps in memory; its worker pool's sum follows."""

    def __init__(self, pool: "WorkerPool") -> None:
        self._pool = pool
        self._bytes = 0

    def add(self, size: int) -> None:
        """Keep some bytes more, or, where this is negative, less."""
        self._bytes += size
        self._pool.held_bytes += size

    def end(self) -> None:
        """Keep nothing any more."""
        self.add(-self._bytes)


class WorkerPool:
    """Does jobs by processes of its own; everything is called in the event loop."""

    def __init__(
        self,
        name: str,
        bounds: Bounds,
        start_process: Callable[[int, Callable[[WorkerProcess, Message | None], None]], WorkerProcess],
        plans: Mapping[str, Plan],
        observer: Observer,
    ) -> None:
        self.name = name
        self._bounds = bounds
        self._start_process, self._plans, self._observer = start_process, plans, observer
        self._queue = FairQueue()
        self._workers: dict[WorkerProcess, int] = {}
        self._results: dict[int, asyncio.Future[Done]] = {}
        self._seconds_a_job = 0.1
        self.held_bytes = 0
        """The sum of all that requests hold."""
        self._is_stopping = False

    def start(self, count: int) -> None:
        """Start the processes."""
        for number in range(count):
            self._workers[self._start_process(number, self._on_message)] = number

    async def stop(self) -> None:
        """Let the processes finish what they have, and end them."""
        self._is_stopping = True
        await asyncio.gather(*(worker.stop() for worker in self._workers))

    @property
    def is_ready(self) -> bool:
        """Whether every process is ready."""
        return bool(self._workers) and all(worker.is_ready for worker in self._workers)

    @property
    def outstanding(self) -> int:
        """Jobs that wait or are under way."""
        return len(self._results)

    @property
    def waiting(self) -> int:
        """Jobs that wait."""
        return len(self._queue)

    @property
    def holds_enough(self) -> bool:
        """Whether requests hold as many bytes as they may: then nothing is made before its turn."""
        return self.held_bytes >= self._bounds.held_bytes

    @contextmanager
    def holding(self) -> Iterator[Hold]:
        """Counts what a request holds until its end."""
        hold = Hold(self)
        try:
            yield hold
        finally:
            hold.end()

    def require_capacity(self) -> None:
        """Raise Problem (429) where as much is outstanding or held as may be."""
        if self.outstanding < self._bounds.jobs and not self.holds_enough:
            return
        raise later(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"{self.outstanding} jobs are outstanding, and {self.held_bytes / 2**20:.0f} MiB are held for "
            "readers, which is as much as may be; come again later",
            self.outstanding * self._seconds_a_job / max(1, len(self._workers)),
        )

    async def do(self, client: str, job: Job, hold: Hold, *, is_first: bool) -> Done:
        """Make some samples of a request; when cancelled, what still waits is dropped.

        Raises Problem where that fails, and for its first samples where the pool is full: what was begun is
        not refused halfway.
        """
        if is_first:
            self.require_capacity()
            hold.add(job.origin.upload_bytes)
        result = self._results[job.number] = asyncio.get_running_loop().create_future()
        self._queue.put(client, job)
        self._dispatch()
        try:
            async with asyncio.timeout(self._bounds.seconds):
                done = await result
            hold.add(len(done.made.data))
            return done
        except TimeoutError:
            self._replace_silent(job)
            raise later(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"this took more than {self._bounds.seconds:g} seconds; request less, or come again later",
                self._bounds.seconds,
            ) from None
        finally:
            self._queue.drop(job.number)
            self._results.pop(job.number, None)

    def _dispatch(self) -> None:
        """Hand out what waits, at once and as evenly as it goes."""
        while self._queue:
            free = [
                worker
                for worker in self._workers
                if len(worker.batches) < BATCHES_AHEAD and not worker.is_ending
            ]
            if not free:
                return
            worker = min(free, key=lambda each: len(each.jobs))
            jobs = self._queue.take(self._bounds.jobs_together)
            named = {job.origin.name for job in jobs if isinstance(job.origin, Stored)}
            worker.send(jobs, {name: self._plans[name] for name in named - worker.known})

    def _on_message(self, worker: WorkerProcess, message: Message | None) -> None:
        match message:
            case None:
                self._lost(worker)
            case Ready():
                worker.is_ready = True
            case Timed():
                done = worker.batches.pop(0)
                self._measured(len(done) or 1, sum(message.seconds.values()))
                self._observer.batch(self.name, message)
            case Done():
                if result := self._open_result(message.number):
                    result.set_result(message)
            case Failed():
                if result := self._open_result(message.number):
                    result.set_exception(_problem(message))
        self._dispatch()

    def _open_result(self, number: int) -> "asyncio.Future[Done] | None":
        result = self._results.get(number)
        return result if result and not result.done() else None

    def _measured(self, jobs: int, seconds: float) -> None:
        self._seconds_a_job = RATE_MEMORY * self._seconds_a_job + (1 - RATE_MEMORY) * seconds / jobs

    def _replace_silent(self, job: Job) -> None:
        """End the process that has had a job for too long; its death then brings a new one."""
        for worker in self._workers:
            if job in worker.jobs:
                worker.kill()

    def _lost(self, worker: WorkerProcess) -> None:
        """A process is gone: what it had fails, and another one takes its place."""
        number = self._workers.pop(worker)
        if self._is_stopping:
            return
        self._observer.worker_lost(self.name)
        for job in worker.jobs:
            if result := self._open_result(job.number):
                result.set_exception(
                    later(HTTPStatus.SERVICE_UNAVAILABLE, "the worker that made this was lost; try again", 1)
                )
        self._workers[self._start_process(number, self._on_message)] = number


def _problem(failed: Failed) -> Problem:
    if failed.is_input:
        return refused(without_folders(failed.detail), *(Fault(*fault) for fault in failed.faults))
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, without_folders(failed.detail))
