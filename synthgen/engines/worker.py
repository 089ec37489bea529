"""What a worker of any engine does: make shards and report."""

import gc
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from synthgen.engines.base import News
from synthgen.errors import RunError, SynthgenError
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.devices import torch_device
from synthgen.runtime.memory import keep_freed_memory, out_of_memory
from synthgen.runtime.processes import follow_parent, one_thread
from synthgen.shards.mark import Mark
from synthgen.shards.numbering import shard_indices
from synthgen.shards.writer import write_shard
from synthgen.storage.output import OutputDirectory, explained


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a worker could not make a shard."""

    error_type: type[SynthgenError]
    message: str


def _work(connection: Connection, plan: Plan, url: str, turn: tuple[str, int], batch_size: int) -> None:
    """A worker: make the shards that are asked for until None comes, or nobody is there any more."""
    with working(connection), explained(url):
        pipeline, directory = (
            Pipeline(plan, worker_device(*turn, plan.recipe), batch_size),
            OutputDirectory(url),
        )
        # Samples make no cycles: what was imported need not be searched for them over and over.
        gc.freeze()
        while (shard := connection.recv()) is not None:
            mark = make_shard(directory, pipeline, shard, lambda samples: send(connection, News(samples)))
            send(connection, News(finished=mark))


@contextmanager
def working(connection: Connection) -> Iterator[None]:
    """What every worker process does around its work: it keeps to one core, and tells why it failed."""
    follow_parent()
    one_thread()
    keep_freed_memory()  # of one sample for the next
    try:
        yield
    except EOFError:
        sys.exit(1)
    except Exception as error:
        send(connection, failure_of(error))


def failure_of(error: Exception) -> Failure:
    """What a worker says of whatever went wrong."""
    if isinstance(error, SynthgenError):
        return Failure(type(error), str(error))
    if os.environ.get("SYNTHGEN_DEBUG"):
        traceback.print_exc()
    failure = out_of_memory(error) or f"a worker failed ({type(error).__name__}: {error}); this is a bug"
    return Failure(RunError, str(failure))


def send(connection: Connection, message: object) -> None:
    """Report to the parent; where it is gone, so is this process, for there is nobody to tell."""
    try:
        connection.send(message)
    except OSError:
        os._exit(1)


def make_shard(
    directory: OutputDirectory, pipeline: Pipeline, shard: int, made: Callable[[int], None]
) -> Mark:
    """Make one shard and write it with its mark; ``made`` is called with the samples since its last call."""
    samples = pipeline.samples(shard_indices(pipeline.plan, shard))
    return write_shard(directory, pipeline.plan, shard, samples, made)


def worker_device(device: str, number: int, recipe: Recipe) -> str:
    """The device of one worker; ``auto`` looks for GPUs only where networks run, for it takes torch to look.

    Perlin fields are computed on a GPU that is asked for; that one is worth it has not been measured.
    """
    networks = bool(recipe.judge.abnormal) or any(each.runs_network for each in recipe.synthesizers)
    return torch_device(device, number) if networks or device == "cuda" else "cpu"
