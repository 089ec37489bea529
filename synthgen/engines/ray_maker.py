"""What actors of the Ray engine do: they make shards of one plan, or perform tasks, one at a time."""

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from socket import gethostname
from typing import Any, NamedTuple

from synthgen.engines.worker import Failure, failure_of, make_shard, worker_device
from synthgen.errors import InputError
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.runtime.memory import keep_freed_memory
from synthgen.runtime.processes import one_thread
from synthgen.shards.mark import Mark
from synthgen.shards.numbering import PLAN_NAME, shard_indices
from synthgen.storage.output import OutputDirectory, explained
from synthgen.storage.root import Root


class Maker(NamedTuple):
    """Who makes something: a process of an actor."""

    node: str
    """Address and beginning of the id of its node."""
    host: str
    process: int


class ShardMaker:
    """The actor: makes shards of one plan."""

    def __init__(self, plan: Plan, url: str, batch_size: int, on_gpu: bool) -> None:
        self._plan, self._url, self._batch_size = plan, url, batch_size
        self._device = "cuda" if on_gpu else "cpu"

    def begin(self) -> Maker | Failure:
        """Get ready; who this is."""
        maker = _settled()
        try:
            if not Root(self._url).is_file(PLAN_NAME):
                raise InputError(
                    f"node {maker.node} does not see {self._url}; give an --out that all nodes share, or "
                    "a URL"
                )
            OutputDirectory(self._url).remove_leftovers()
            _ = self._pipeline
        except Exception as error:
            return failure_of(error)
        return maker

    def make(self, shard: int) -> Mark | Failure:
        """Make a shard and write it."""
        try:
            with explained(self._url):
                return make_shard(OutputDirectory(self._url), self._pipeline, shard, lambda _: None)
        except Exception as error:
            failure, indices = failure_of(error), shard_indices(self._plan, shard)
            where = f"shard {shard} (samples {indices.start} to {indices.stop - 1})"
            return Failure(failure.error_type, f"{where}: {failure.message}")

    @cached_property
    def _pipeline(self) -> Pipeline:
        device = worker_device(self._device, 0, self._plan.recipe)  # Ray shows an actor its own GPUs alone
        return Pipeline(self._plan, device, self._batch_size)


class TaskMaker:
    """The actor: performs tasks, which it is given all, by their numbers."""

    def __init__(self, perform: Callable[[Any], None], tasks: Sequence[Any]) -> None:
        self._perform, self._tasks = perform, tasks

    def begin(self) -> Maker:
        """Get ready; who this is."""
        return _settled()

    def make(self, number: int) -> Failure | None:
        """Perform one task."""
        try:
            self._perform(self._tasks[number])
        except Exception as error:
            return failure_of(error)
        return None


def _settled() -> Maker:
    """Keep to one core, and say who this is."""
    import ray

    one_thread()
    keep_freed_memory()
    address = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    node = f"{address}/{ray.get_runtime_context().get_node_id()[:6]}"
    return Maker(node, gethostname(), os.getpid())
