"""The local engine: this machine's cores, one process each, every process makes whole shards."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TypeVar

from synthgen.engines.base import Engine, News
from synthgen.engines.processes import STOP_SECONDS, cause_of_death, end
from synthgen.engines.tasks import run_tasks
from synthgen.engines.worker import Failure, _work
from synthgen.errors import TransientError
from synthgen.pipeline.pipeline import BATCH_SIZE
from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.devices import gpu_count
from synthgen.runtime.processes import process_context
from synthgen.runtime.stopping import postponed
from synthgen.storage.output import OutputDirectory

T = TypeVar("T")


class LocalEngine(Engine):
    """One process per worker, on ``device`` (``auto``, ``cpu``, ``cuda``: the GPUs in turn).

    A worker that dies does not hang the run, and none outlives it. Without a number of workers there is one
    for each core, or for each GPU where networks run on it.
    """

    def __init__(
        self, workers: int | None = None, device: str = "auto", batch_size: int = BATCH_SIZE
    ) -> None:
        self._workers = workers
        self._device = device
        self._batch_size = batch_size

    def run(self, plan: Plan, url: str, shards: Sequence[int]) -> Iterator[News]:
        """Make the shards; see ``Engine.run``."""
        waiting = list(reversed(shards))
        count = min(self._workers or _default_workers(plan.recipe, self._device), len(waiting))
        workers: dict[Connection, BaseProcess] = {}
        try:
            for number in range(count):
                self._start(plan, url, number, workers)
            for connection in workers:
                connection.send(waiting.pop())
            while workers:
                for ready in wait(list(workers)):
                    assert isinstance(ready, Connection)
                    yield from self._news(ready, workers, waiting)
        finally:
            with postponed():
                end(workers.values())
                OutputDirectory(url).remove_leftovers()

    def perform(self, perform: Callable[[T], None], tasks: Sequence[T]) -> Generator[T]:
        """Perform tasks; see ``Engine.perform``."""
        return run_tasks(perform, tasks, self._workers or len(os.sched_getaffinity(0)))

    def _start(self, plan: Plan, url: str, number: int, workers: dict[Connection, BaseProcess]) -> None:
        context = process_context(_needed(plan.recipe))
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_work, args=(theirs, plan, url, (self._device, number), self._batch_size), daemon=True
        )
        workers[ours] = process  # before it starts: a stop in between must find it
        process.start()
        theirs.close()

    def _news(
        self, connection: Connection, workers: dict[Connection, BaseProcess], waiting: list[int]
    ) -> Iterator[News]:
        try:
            news = connection.recv()
        except (EOFError, ConnectionResetError):
            raise TransientError(cause_of_death(workers.pop(connection))) from None
        if isinstance(news, Failure):
            raise news.error_type(news.message)
        if news.finished and waiting:
            connection.send(waiting.pop())
        elif news.finished:
            connection.send(None)
            workers.pop(connection).join(STOP_SECONDS)
        yield news


def start_importing(recipe: Recipe) -> None:
    """Let the imports that workers will need begin, in another process, while this one freezes the recipe."""
    process_context(_needed(recipe))


def _needed(recipe: Recipe) -> list[str]:
    heavy = {name for synthesizer in recipe.synthesizers for name in synthesizer.imports}
    return [__name__, *sorted(heavy)]


def _default_workers(recipe: Recipe, device: str) -> int:
    networks = any(each.runs_network for each in recipe.synthesizers)
    gpus = gpu_count() if networks and device != "cpu" else 0
    return gpus or len(os.sched_getaffinity(0))
