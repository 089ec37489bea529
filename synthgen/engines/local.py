"""The local engine: this machine's cores, one process each, every process makes whole shards."""

import gc
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess

from synthgen.engines.base import Engine, Progress
from synthgen.errors import RunError, SynthgenError, out_of_memory
from synthgen.pipeline import BATCH_SIZE, Pipeline
from synthgen.plan import Plan
from synthgen.recipe import Recipe
from synthgen.shards.directory import OutputDirectory, explained
from synthgen.shards.writer import write_shard

STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a worker could not make a shard."""

    kind: type[SynthgenError]
    message: str


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

    def run(self, plan: Plan, url: str, shards: Sequence[int]) -> Iterator[Progress]:
        """Make the shards; see ``Engine.run``."""
        waiting = list(reversed(shards))
        count = min(self._workers or _default_workers(plan.recipe, self._device), len(waiting))
        workers = dict(self._start(plan, url, number) for number in range(count))
        try:
            for connection in workers:
                connection.send(waiting.pop())
            while workers:
                for ready in wait(list(workers)):
                    assert isinstance(ready, Connection)
                    yield from self._news(ready, workers, waiting)
        finally:
            for process in workers.values():
                process.terminate()
            for process in workers.values():
                process.join(STOP_SECONDS)
            OutputDirectory(url).remove_leftovers()

    def _start(self, plan: Plan, url: str, number: int) -> tuple[Connection, BaseProcess]:
        context = process_context(_needed(plan.recipe))
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_work, args=(theirs, plan, url, (self._device, number), self._batch_size), daemon=True
        )
        process.start()
        theirs.close()
        return ours, process

    def _news(
        self, connection: Connection, workers: dict[Connection, BaseProcess], waiting: list[int]
    ) -> Iterator[Progress]:
        try:
            news = connection.recv()
        except (EOFError, ConnectionResetError):
            raise RunError(_cause_of_death(workers.pop(connection))) from None
        if isinstance(news, Failure):
            raise news.kind(news.message)
        if news.finished and waiting:
            connection.send(waiting.pop())
        elif news.finished:
            connection.send(None)
            workers.pop(connection).join(STOP_SECONDS)
        yield news


def start_importing(recipe: Recipe) -> None:
    """Let the imports that workers will need begin, in another process, while this one freezes the recipe."""
    process_context(_needed(recipe))


def process_context(modules: Sequence[str]) -> ForkServerContext | SpawnContext:
    """How processes start: forked off a server that has imported, once, the modules that all of them need."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    _start_server()
    return context


def _needed(recipe: Recipe) -> list[str]:
    heavy = {name for synthesizer in recipe.synthesizers for name in synthesizer.imports}
    return [__name__, *sorted(heavy)]


def _start_server() -> None:
    """Start the server deaf to Ctrl-C, which reaches the whole group: imports would answer by a traceback."""
    resource_tracker.ensure_running()  # first, because it ends by letting Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection, plan: Plan, url: str, turn: tuple[str, int], batch_size: int) -> None:
    """A worker: make the shards that are asked for until None comes, or nobody is there any more."""
    # Ctrl-C reaches the whole group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    one_thread()
    try:
        with explained(url):
            pipeline, directory = (
                Pipeline(plan, chosen_device(*turn, plan.recipe), batch_size),
                OutputDirectory(url),
            )
            # Samples make no cycles: what was imported need not be searched for them over and over.
            gc.freeze()
            while (shard := connection.recv()) is not None:
                mark = write_shard(
                    directory, pipeline, shard, lambda samples: connection.send(Progress(samples))
                )
                connection.send(Progress(finished=mark))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        sys.exit(1)
    except SynthgenError as error:
        connection.send(Failure(type(error), str(error)))
    except Exception as error:
        if os.environ.get("SYNTHGEN_DEBUG"):
            traceback.print_exc()
        told = out_of_memory(error) or f"a worker failed ({type(error).__name__}: {error}); this is a bug"
        connection.send(Failure(RunError, str(told)))


def chosen_device(device: str, number: int, recipe: Recipe) -> str:
    """The device of one worker; GPUs are looked for only where a method has use for torch."""
    uses_torch = any("torch" in each.imports for each in recipe.synthesizers)
    return torch_device(device, number) if uses_torch else "cpu"


def torch_device(device: str, number: int) -> str:
    """Where a worker's torch runs: the GPUs in turn, if there are any and ``device`` is not ``cpu``."""
    gpus = 0 if device == "cpu" else gpu_count()
    return f"cuda:{number % gpus}" if gpus else "cpu"


def _default_workers(recipe: Recipe, device: str) -> int:
    networks = any(each.runs_network for each in recipe.synthesizers)
    gpus = gpu_count() if networks and device != "cpu" else 0
    return gpus or len(os.sched_getaffinity(0))


def gpu_count() -> int:
    """How many GPUs torch finds."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def one_thread() -> None:
    """Keep this process to one core: the processes share the cores, threads would fight over them."""
    import cv2

    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["MKL_NUM_THREADS"] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _cause_of_death(process: BaseProcess) -> str:
    process.join(STOP_SECONDS)
    code = process.exitcode or 0
    how = f"killed by signal {-code}" if code < 0 else f"stopped with code {code}"
    advice = "; the machine may be out of memory: try fewer --workers" if code == -signal.SIGKILL else ""
    return f"a worker was {how}{advice}; run the same command again, finished shards are kept"
