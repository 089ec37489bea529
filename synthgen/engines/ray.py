"""The Ray engine: actors of a cluster make shards and write them themselves; only marks come back.

An actor that dies is started again by Ray, and what it had waits again; marks in the output are the only
state of a run. (Not Ray Data, whose pool keeps the place of a dead actor, so that a job can hang: ray issue
62746.)
"""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from socket import gethostname
from typing import TYPE_CHECKING, Any, TypeVar

from synthgen.engines.base import Engine, News
from synthgen.engines.ray_cluster import connected, first_line, no_room, require_answer
from synthgen.engines.ray_maker import Maker, ShardMaker, TaskMaker
from synthgen.engines.shard_queue import ShardQueue
from synthgen.engines.worker import Failure
from synthgen.errors import InputError, TransientError
from synthgen.pipeline.pipeline import BATCH_SIZE
from synthgen.plan.plan import Plan
from synthgen.runtime.extras import require_extra
from synthgen.runtime.stopping import postponed
from synthgen.storage.output import OutputDirectory
from synthgen.storage.whole_file import is_alive

if TYPE_CHECKING:
    from ray import ObjectRef

WAIT_SECONDS = 1.0
"""After which those who wait for the cluster look around, whether there is news or not."""
START_SECONDS = 300.0
"""After which a run ends for which no actor has begun; a cluster that grows takes minutes."""
END_SECONDS = 10.0
"""How long the end of a run waits for processes to end."""
FAILED_STARTS = 5
"""After how many in a row an actor is given up and another takes its place."""

T = TypeVar("T")


class RayEngine(Engine):
    """Actors of a Ray cluster, one process each; ``address`` is ``auto`` or HOST:PORT.

    Without a number of workers there are as many as the cluster has room for. What a worker asks for decides
    where it fits: ``cpus_per_worker``, and ``gpus_per_worker``, with which networks run on a GPU. All nodes
    need synthgen, the source and the output under the same path or URL. Raises InputError where nobody
    answers at the address.
    """

    def __init__(
        self,
        address: str = "auto",
        *,
        workers: int | None = None,
        cpus_per_worker: float = 1,
        gpus_per_worker: float = 0,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        require_extra("ray", "the engine ray")
        require_answer(address)
        if not cpus_per_worker and not gpus_per_worker:
            raise InputError(
                "a worker on Ray asks for nothing; give it CPUs or GPUs, so that Ray can place it"
            )
        self._address = address
        self._workers = workers
        self._resources = {"num_cpus": cpus_per_worker, "num_gpus": gpus_per_worker}
        self._batch_size = batch_size

    def run(self, plan: Plan, url: str, shards: Sequence[int]) -> Iterator[News]:
        """Make the shards; see ``Engine.run``."""
        given = (plan, url, self._batch_size, self._resources["num_gpus"] > 0)
        with closing(self._made(shards, ShardMaker, given, OutputDirectory(url))) as made:
            for _, mark, maker in made:
                yield News(mark.count, mark, maker.node)

    def perform(self, perform: Callable[[T], None], tasks: Sequence[T]) -> Generator[T]:
        """Perform tasks; see ``Engine.perform``. The folders that they work in are seen by all nodes."""
        with closing(self._made(range(len(tasks)), TaskMaker, (perform, tasks), None)) as made:
            for number, _, _ in made:
                yield tasks[number]

    def _made(
        self, numbers: Sequence[int], kind: type, given: tuple[Any, ...], folder: OutputDirectory | None
    ) -> Generator[tuple[int, Any, Maker]]:
        """What actors of a kind made of each number; what they leave half-written in a folder is removed."""
        if not numbers:
            return
        with connected(self._address):
            run = _ClusterRun(ShardQueue(numbers), (kind, given), self._resources)
            try:
                run.start(min(self._workers or self._room(), len(numbers)))
                yield from run.made()
                run.let_finish()
            finally:
                with postponed():
                    run.end()
                    if folder:
                        folder.remove_leftovers()

    def _room(self) -> int:
        """How many workers the cluster has room for now."""
        import ray

        there = ray.cluster_resources()  # type: ignore[no-untyped-call]
        asked = {"CPU": self._resources["num_cpus"], "GPU": self._resources["num_gpus"]}
        return max(1, min(int(there.get(name, 0) // each) for name, each in asked.items() if each))


class _ClusterRun:
    """The actors of one run, what each was asked for, and what became of it."""

    def __init__(
        self, queue: ShardQueue, actor: tuple[type, tuple[Any, ...]], resources: dict[str, float]
    ) -> None:
        import ray

        self._queue = queue
        kind, self._given = actor
        # Ray starts an actor that died again, as often as it takes; what it was asked for is ours to repeat.
        self._actor_class: Any = ray.remote(kind).options(
            **resources,
            max_restarts=-1,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
            enable_task_events=False,  # of which the head would keep a record for every shard
        )
        self._actors: dict[int, Any] = {}
        self._begun: dict[int, Maker] = {}
        """Those of the actors that have begun and are not lost."""
        self._seen: set[Maker] = set()
        """All that there were."""
        self._calls: dict[ObjectRef[Any], tuple[int, int | None]] = {}
        """The actor and the shard of each call; no shard of one to begin."""
        self._to_begin: dict[int, float] = {}
        """When actors that failed to begin are to be asked again."""
        self._failed_starts: Counter[int] = Counter()

    def start(self, count: int) -> None:
        """Start so many actors; they begin when there is room for them."""
        for number in range(count):
            self._actors[number] = self._actor_class.remote(*self._given)
            self._ask_to_begin(number)

    def made(self) -> Iterator[tuple[int, Any, Maker]]:
        """What is made, until everything is."""
        import ray

        begun = time.monotonic()
        while not self._queue.is_done:
            answered, _ = ray.wait([*self._calls], timeout=WAIT_SECONDS) if self._calls else ([], [])
            for call in answered:
                if call in self._calls:  # not dropped in the meantime
                    yield from self._answer(call)
            for number, when in list(self._to_begin.items()):
                if time.monotonic() >= when:
                    self._ask_to_begin(number)
            if not self._calls:
                time.sleep(WAIT_SECONDS)
            if self._begun:
                begun = time.monotonic()
            elif time.monotonic() - begun > START_SECONDS:
                raise no_room(START_SECONDS)

    def let_finish(self) -> None:
        """Wait a little for those who still make what others have finished: nothing stays half-written."""
        import ray

        if self._calls:
            ray.wait([*self._calls], num_returns=len(self._calls), timeout=END_SECONDS)

    def end(self) -> None:
        """End the actors, and wait for those on this machine."""
        import ray

        for actor in self._actors.values():
            with suppress(Exception):  # of a cluster that is gone itself
                ray.kill(actor)
        here = [maker.process for maker in self._seen if maker.host == gethostname()]
        deadline = time.monotonic() + END_SECONDS
        while any(map(is_alive, here)) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _answer(self, call: "ObjectRef[Any]") -> Iterator[tuple[int, Any, Maker]]:
        import ray

        number, shard = self._calls.pop(call)
        try:
            answer = ray.get(call)
        except ray.exceptions.RayActorError as error:
            self._lose(number, error)
            return
        if isinstance(answer, Failure):
            raise answer.error_type(answer.message)
        if shard is None:
            self._begun[number] = answer
            self._seen.add(answer)
            self._failed_starts[number] = 0
        elif self._queue.finish(number, shard):
            yield shard, answer, self._begun[number]
        self._give(number)

    def _give(self, number: int) -> None:
        while (shard := self._queue.next_for(number)) is not None:
            self._calls[self._actors[number].make.remote(shard)] = (number, shard)

    def _lose(self, number: int, error: Exception) -> None:
        """An actor is gone, for now or for good."""
        self._begun.pop(number, None)
        self._calls = {call: asked for call, asked in self._calls.items() if asked[0] != number}
        self._queue.lose(number, first_line(error))
        self._failed_starts[number] += 1
        if self._failed_starts[number] > FAILED_STARTS:
            if not self._begun:
                raise TransientError(f"workers cannot start on the Ray cluster: {first_line(error)}")
            self._failed_starts[number] = 0
            self._actors[number] = self._actor_class.remote(*self._given)
        self._to_begin[number] = time.monotonic() + WAIT_SECONDS
        for other in self._begun:  # who was idle may take what waits again
            self._give(other)

    def _ask_to_begin(self, number: int) -> None:
        self._to_begin.pop(number, None)
        self._calls[self._actors[number].begin.remote()] = (number, None)
