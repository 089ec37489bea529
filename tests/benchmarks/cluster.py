"""The Ray engine beside the local one, on a cluster of this machine.

Samples a second by one and two workers, and as a share of twice the rate of one; what Ray adds to a shard, by
shards of one tiny sample; and the memory of those who hold the run together, before and after many shards.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from ray.cluster_utils import Cluster

import synthgen
from synthgen.engines.base import Engine
from synthgen.engines.local import LocalEngine
from synthgen.engines.ray import RayEngine
from tests.benchmarks.machine import describe

STORE_BYTES = 80 * 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4000, help="samples of 256 x 256 (default: %(default)s)")
    parser.add_argument("--tiny-shards", type=int, default=2000, help="default: %(default)s")
    options = parser.parse_args()
    print(describe())
    with cluster(2) as made:
        print_rates(options.count, made)
        print_overhead(options.tiny_shards, made)


@contextmanager
def cluster(nodes: int) -> Iterator[Any]:
    """A cluster of nodes of one CPU."""
    made = Cluster(initialize_head=True, head_node_args={**node(), "include_dashboard": False})
    for _ in range(nodes - 1):
        made.add_node(**node())
    try:
        yield made
    finally:
        made.shutdown()


def node() -> dict[str, int]:
    """What a node has."""
    return {"num_cpus": 1, "object_store_memory": STORE_BYTES}


def print_rates(count: int, made: Any) -> None:
    """A row for each engine."""
    plan = synthgen.freeze(synthgen.load_recipe("cutpaste", [f"count={count}", "output.shard_size=100"]))
    print(f"\n{'cutpaste, 256 x 256':<22}{'1 worker':>12}{'2 workers':>12}{'of linear':>11}   samples/s")
    for name, engines in (
        ("local", [LocalEngine(workers) for workers in (1, 2)]),
        ("Ray", [RayEngine(made.address, workers=workers) for workers in (1, 2)]),
    ):
        rates = [steady_rate(plan, engine) for engine in engines]
        print(f"{name:<22}{rates[0]:>12.0f}{rates[1]:>12.0f}{rates[1] / rates[0] / 2:>11.2f}", flush=True)


def print_overhead(shards: int, made: Any) -> None:
    """Milliseconds a shard by each engine with one worker, and the memory of the head before and after."""
    tiny = [f"count={shards}", "size=[32, 32]", "output.shard_size=1"]
    plan = synthgen.freeze(synthgen.load_recipe("cutpaste", tiny))
    local = 1000 / steady_rate(plan, LocalEngine(1))
    before = head_bytes()
    cluster = 1000 / steady_rate(plan, RayEngine(made.address, workers=1))
    after = head_bytes()
    print(
        f"\n{shards} shards of one 32 x 32 sample, one worker, ms a shard: "
        f"local {local:.1f}, Ray {cluster:.1f}"
    )
    print(f"GCS and raylets: {before / 2**20:.0f} MiB before, {after / 2**20:.0f} MiB after")


def steady_rate(plan: synthgen.Plan, engine: Engine) -> float:
    """Samples a second from the first finished shard on, so without the start of workers."""
    news: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        synthgen.generate(
            plan,
            Path(folder) / "shards",
            engine=engine,
            observer=lambda _, each: (
                news.append((time.perf_counter(), each.finished.count)) if each.finished else None
            ),
        )
    return sum(count for _, count in news[1:]) / (news[-1][0] - news[0][0])


def head_bytes() -> int:
    """Memory of the processes that hold the cluster together."""
    total = 0
    for process in psutil.process_iter(["name", "memory_info"]):
        if process.info["name"] in ("gcs_server", "raylet"):
            total += process.info["memory_info"].rss
    return total


if __name__ == "__main__":
    main()
