"""Virtual shards: made on the first request for them, once however many requests come, and kept."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from queue import Empty, Full, Queue

from server.http.problems import later
from server.service import Service
from server.shard_cache import Kept
from server.workers.jobs import Stored
from synthgen.errors import SynthgenError
from synthgen.plan.plan import Plan
from synthgen.shards.mark import Mark
from synthgen.shards.numbering import shard_indices
from synthgen.shards.writer import Block, write_blocks
from synthgen.storage.output import OutputDirectory, explained

BLOCKS_AHEAD = 4
POLL_SECONDS = 0.01
DISK_SECONDS = 60
"""When to come again after the disk took no more."""


class _AbandonedError(Exception):
    """Nobody wants the shard any more."""


Blocks = Queue[Block | _AbandonedError | None]
"""On their way to the disk; None is the end."""


@dataclass(slots=True)
class _PendingShard:
    task: "asyncio.Task[Kept]"
    samples: int
    made: int = 0
    waiting: int = 0
    is_promised: bool = False
    """Whether a client was promised it on its next request."""
    started: float = 0.0

    def seconds_left(self) -> float:
        """An estimate by what was made so far."""
        passed = time.monotonic() - self.started
        return passed * (self.samples - self.made) / max(self.made, 1)


class Shards:
    """Gives the shards of the service's plans."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._pending: dict[tuple[str, int], _PendingShard] = {}

    async def get(self, name: str, shard: int, client: str) -> Kept:
        """A finished shard, made where it is not kept. Raises Problem (503) where that takes long."""
        service = self._service
        plan = service.catalogue.plans[name]
        if kept := service.cache.find(plan, shard):
            return kept
        while (pending := self._pending.get((name, shard))) and pending.task.cancelling():
            await asyncio.wait({pending.task})  # abandoned, and not gone yet
        pending = pending or self._begin(name, shard, client)
        pending.waiting += 1
        try:
            async with asyncio.timeout(service.settings.shard_seconds):
                return await asyncio.shield(pending.task)
        except TimeoutError:
            pending.is_promised = True
            raise later(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"the shard is being made ({pending.made} of {pending.samples} samples); come again for it",
                pending.seconds_left(),
            ) from None
        finally:
            pending.waiting -= 1
            if not pending.waiting and not pending.is_promised:
                pending.task.cancel()

    async def stop(self) -> None:
        """Abandon what is being made and nobody waits for."""
        tasks = [pending.task for pending in self._pending.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, name: str, shard: int, client: str) -> _PendingShard:
        plan = self._service.catalogue.plans[name]
        samples = len(shard_indices(plan, shard))
        task = asyncio.create_task(self._make(name, shard, client))
        pending = self._pending[name, shard] = _PendingShard(task, samples, started=time.monotonic())
        task.add_done_callback(lambda _: self._pending.pop((name, shard), None))
        return pending

    async def _make(self, name: str, shard: int, client: str) -> Kept:
        service = self._service
        plan = service.catalogue.plans[name]
        blocks: Blocks = Queue(BLOCKS_AHEAD)
        directory = service.cache.directory(plan)
        writing = asyncio.create_task(asyncio.to_thread(_write, directory, plan, shard, blocks))
        try:
            pieces = service.make_samples(
                client, Stored(name), plan.recipe, shard_indices(plan, shard), "block"
            )
            async for done in pieces:
                assert isinstance(done.made, Block)
                await _put(blocks, done.made, writing)
                if pending := self._pending.get((name, shard)):
                    pending.made += len(done.made.facts)
            await _put(blocks, None, writing)
            mark = await writing
        except BaseException:
            _abandon(blocks)
            with suppress(Exception):
                await asyncio.shield(writing)
            raise
        service.cache.add(plan, mark)
        kept = service.cache.find(plan, shard)
        assert kept
        return kept


def _write(directory: OutputDirectory, plan: Plan, shard: int, blocks: Blocks) -> Mark:
    """Write the blocks that come. Raises Problem where the disk does not take them."""
    try:
        with explained("the cache of shards"):
            return write_blocks(directory, plan, shard, _until_the_end(blocks))
    except SynthgenError as error:
        raise later(HTTPStatus.SERVICE_UNAVAILABLE, str(error), DISK_SECONDS) from error


async def _put(blocks: Blocks, block: Block | None, writing: "asyncio.Task[Mark]") -> None:
    """Hand a block to the writing thread when it has room; raises what ended the writing."""
    while True:
        if writing.done():
            writing.result()
        try:
            return blocks.put_nowait(block)
        except Full:
            await asyncio.wait({writing}, timeout=POLL_SECONDS)


def _abandon(blocks: Blocks) -> None:
    while True:
        try:
            return blocks.put_nowait(_AbandonedError())
        except Full:
            with suppress(Empty):
                blocks.get_nowait()


def _until_the_end(blocks: Blocks) -> Iterator[Block]:
    while (block := blocks.get()) is not None:
        if isinstance(block, _AbandonedError):
            raise block
        yield block
