"""The service behind the routes: what it holds, and the worker pools that make samples."""

import asyncio
import itertools
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from contextlib import suppress

from server.catalogue import Catalogue, freeze_all, models_of
from server.observability import Metrics
from server.settings import Settings
from server.shard_cache import ShardCache
from server.workers.jobs import Done, Encoding, Job, Message, Origin
from server.workers.pool import BATCHES_AHEAD, Bounds, WorkerPool
from server.workers.process import WorkerProcess
from server.workers.worker import Limits
from synthgen.pipeline.pipeline import BATCH_PIXELS
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.devices import gpu_count

PASTE, DIFFUSION = "paste", "diffusion"
MODULES = {PASTE: ["torch"], DIFFUSION: ["torch", "synthgen.diffusion.model"]}
"""What the processes of a worker pool import before their first job."""
JOBS_TOGETHER = {PASTE: 4, DIFFUSION: 16}
"""A network makes several images for little more than one; pastes only wait for each other."""
MAX_SAMPLES = 32
"""Most samples of a batch: what waits for the last of them must not wait long."""


class Service:
    """Starts and ends with the application; used in its event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.catalogue: Catalogue = models_of(settings)
        self.cache = ShardCache(settings.cache_dir, settings.cache_bytes)
        self.cache.open()
        self.pools: dict[str, WorkerPool] = {}
        self._counts: dict[str, int] = {}
        self._numbers = itertools.count()
        self._freezing: asyncio.Task[None] | None = None
        self._is_stopping = False

    async def start(self) -> None:
        """Start the processes, and freeze the recipes while they begin."""
        settings = self.settings
        self._counts[PASTE] = settings.workers or len(os.sched_getaffinity(0))
        if self.catalogue.runs_networks:
            gpus = 0 if settings.device == "cpu" else await asyncio.to_thread(gpu_count)
            self._counts[DIFFUSION] = settings.diffusion_workers or max(1, gpus)
        for name, count in self._counts.items():
            bounds = Bounds(
                settings.max_outstanding,
                settings.max_outstanding_bytes,
                settings.request_seconds,
                JOBS_TOGETHER[name],
            )
            self.pools[name] = WorkerPool(
                name, bounds, self._process_starter(name), self.catalogue.plans, self.metrics
            )
            self.pools[name].start(count)
        self._freezing = asyncio.create_task(
            asyncio.to_thread(freeze_all, self.catalogue, settings, lambda: self._is_stopping)
        )

    async def stop(self) -> None:
        """Finish what is under way, and end the processes."""
        self._is_stopping = True
        if self._freezing:
            with suppress(Exception):
                await self._freezing
        await asyncio.gather(*(pool.stop() for pool in self.pools.values()))

    @property
    def has_frozen(self) -> bool:
        """Whether all recipes were looked at."""
        return self._freezing is not None and self._freezing.done()

    @property
    def is_ready(self) -> bool:
        """Whether the recipes are frozen and every process has imported and loaded what it needs."""
        pools = all(pool.is_ready for pool in self.pools.values())
        return self.has_frozen and pools and not self._is_stopping

    def require_capacity(self) -> None:
        """Raise Problem (429) where the worker pool that most requests are for is full.

        Which one a request is for stands in its body, and to read that is most of what a refusal costs.
        """
        if pool := self.pools.get(PASTE):
            pool.require_capacity()

    def pool_for(self, recipe: Recipe) -> WorkerPool:
        """The worker pool that makes a recipe's samples."""
        runs_network = any(each.runs_network for each in recipe.synthesizers)
        return self.pools[DIFFUSION if runs_network and DIFFUSION in self.pools else PASTE]

    async def make_samples(
        self, client: str, origin: Origin, recipe: Recipe, indices: range, encoding: Encoding
    ) -> AsyncIterator[Done]:
        """Make samples piece by piece, in order, a few pieces ahead of the reader.

        A piece counts as held until the reader takes the next one. Raises Problem where they cannot be made,
        and where the worker pool is full before the first piece.
        """
        pool = self.pool_for(recipe)
        ahead = BATCHES_AHEAD * self._counts[pool.name]
        key, most_together = batch_key(recipe), samples_together(recipe)
        tasks: deque[asyncio.Task[Done]] = deque()
        parts = deque(_parts(indices, 1 if recipe.size == "native" else most_together))
        with pool.holding() as hold:
            try:
                while parts or tasks:
                    while parts and (not tasks or (len(tasks) < ahead and not pool.holds_enough)):
                        job = Job(next(self._numbers), origin, parts.popleft(), encoding, key, most_together)
                        is_first = job.indices.start == indices.start
                        tasks.append(asyncio.create_task(pool.do(client, job, hold, is_first=is_first)))
                    done = await tasks.popleft()
                    yield done
                    hold.add(-len(done.made.data))
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _process_starter(
        self, pool: str
    ) -> Callable[[int, Callable[[WorkerProcess, Message | None], None]], WorkerProcess]:
        settings = self.settings

        def start(number: int, on_message: Callable[[WorkerProcess, Message | None], None]) -> WorkerProcess:
            limits = Limits(
                settings.device,
                number,
                settings.max_image_pixels,
                settings.max_sample_pixels,
                tuple(self.catalogue.paths.values()) if pool == DIFFUSION else (),
            )
            return WorkerProcess(limits, MODULES[pool], on_message)

        return start


def batch_key(recipe: Recipe) -> Hashable:
    """What samples must share to be made together: methods and size."""
    return frozenset(each.method for each in recipe.synthesizers), recipe.size


def samples_together(recipe: Recipe) -> int:
    """How many samples are made together: large ones a few at a time, to bound memory."""
    if recipe.size == "native":
        return MAX_SAMPLES
    height, width = recipe.size
    return max(1, min(MAX_SAMPLES, BATCH_PIXELS // (height * width)))


def _parts(indices: range, size: int) -> Iterable[range]:
    return (indices[first : first + size] for first in range(0, len(indices), size))
