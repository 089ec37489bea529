"""A shard that is abandoned, and requested again before it is gone, is made again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import synthgen
from server.shard_cache import ShardCache
from server.virtual_shards import Shards
from server.workers.jobs import Done
from synthgen.engines.worker import make_shard
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.recipe.files import load_recipe
from synthgen.shards.writer import block
from synthgen.storage.output import OutputDirectory


class SlowService:
    """Makes samples one by one, with a pause after each."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.settings = SimpleNamespace(shard_seconds=30.0)
        self.catalogue = SimpleNamespace(plans={"small": plan})
        self.cache = ShardCache(folder, 10**9)
        self.cache.open()
        self._pipeline = Pipeline(plan)

    async def make_samples(
        self, client: str, origin: Any, recipe: Any, indices: range, encoding: str
    ) -> AsyncIterator[Done]:
        """The samples as blocks."""
        for index in indices:
            yield Done(0, "", block([self._pipeline.sample(index)], recipe.output))
            await asyncio.sleep(0.02)


def test_who_comes_while_it_is_abandoned_gets_it(tmp_path: Path) -> None:
    plan = synthgen.freeze(load_recipe("scar", ["count=5", "output.shard_size=5", "size=[32, 32]"]))
    out = OutputDirectory(str(tmp_path / "out"))
    out.create()
    make_shard(out, Pipeline(plan), 0, lambda _: None)

    async def leave_and_come_again() -> bytes:
        shards = Shards(SlowService(plan, tmp_path / "cache"))  # type: ignore[arg-type]
        first = asyncio.create_task(shards.get("small", 0, "first"))
        await asyncio.sleep(0.05)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        kept = await shards.get("small", 0, "second")
        return kept.path.read_bytes()

    assert asyncio.run(leave_and_come_again()) == (tmp_path / "out/000000.tar").read_bytes()
