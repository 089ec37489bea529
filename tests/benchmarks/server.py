"""The speed of the service beside the same pipeline without HTTP, and how it bears load and overload.

The service, this load generator and, before them, the bare pipeline run on the same cores. "Without HTTP" is
what a worker does for a request, in as many processes: freeze, decode, render, encode.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np

from synthgen.images import png
from synthgen.sources.builtin import BuiltinSource
from tests.benchmarks.http_load import (
    Connections,
    Results,
    bulk_loop,
    closed_loop,
    form_request,
    get_request,
    open_loop,
)
from tests.benchmarks.machine import PeakMemory, describe
from tests.benchmarks.without_http import at_once, shards_without_http, uploads_without_http

TAR = "application/x-tar"
RECIPE = """
name: bench
seed: 1
count: 1000000
source: {kind: builtin, categories: [coffee, cat, immunohistochemistry, retina]}
size: [256, 256]
foreground: all
synthesizers: [{method: cutpaste}]
output: {shard_size: 500}
"""
ASKED = {"size": [256, 256], "foreground": "all", "synthesizers": [{"method": "cutpaste"}]}
IMAGES = 100
LARGE_CLIENTS = 64
LARGE_SIDE = 1500
BOUND_SHARDS, BOUND_MANY, BOUND_SINGLE = 0.8, 0.8, 0.3


@dataclass(frozen=True)
class Running:
    """The service under test."""

    port: int
    memory: PeakMemory

    def metric(self, name: str) -> dict[str, float]:
        """The samples of a metric, by their labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        found = [line.rpartition(" ") for line in lines if line.startswith(name)]
        return {labels: float(value) for labels, _, value in found}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of each open-loop load (default: 60)")
    parser.add_argument("--short", type=float, default=15, help="of each other measurement (default: 15)")
    options = parser.parse_args()
    print(describe())
    images = pictures()
    size = np.mean([len(each) for each in images]) / 1000
    print(f"images    {IMAGES} of 256 x 256, {size:.0f} kB; cutpaste\n")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as running:
        asyncio.run(measure(running, images, options.seconds, options.short, Path(folder)))


async def measure(
    running: Running, images: Sequence[bytes], seconds: float, short: float, folder: Path
) -> None:
    """All measurements, one after the other."""
    capacity = await print_saturation(running, images, short, folder)
    half = await print_half_load(running, images, capacity, seconds)
    await print_overload(running, images, capacity, half, seconds)
    await print_large(running)


async def print_saturation(running: Running, images: Sequence[bytes], short: float, folder: Path) -> float:
    """Throughput beside the pipeline without HTTP; returns the capacity for single images, a second."""
    connections = Connections(running.port)
    print("at saturation          without HTTP    service   share  bound")

    def single(number: int, recipe: dict[str, object] = ASKED) -> bytes:
        return asked(images, number, recipe)

    def automatic(number: int) -> bytes:
        return single(number, {**ASKED, "foreground": "auto"})

    def sixteen(number: int) -> bytes:
        return form_request(images[number % IMAGES], TAR, recipe=json.dumps(ASKED), n=16, seed=number)

    def shard(number: int) -> bytes:
        return get_request(f"/v1/recipes/bench/shards/{number:06d}.tar")

    alone = at_once(lambda until: uploads_without_http(images, ASKED, 1, "image", until), short)
    found = await closed_loop(connections, single, 32, short)
    capacity = found.rate
    _row("single image", alone, found, 1, BOUND_SINGLE)
    recipe = {**ASKED, "foreground": "auto"}
    alone = at_once(lambda until: uploads_without_http(images, recipe, 1, "image", until), short)
    _row("single, auto", alone, await closed_loop(connections, automatic, 32, short), 1, BOUND_SINGLE)
    alone = at_once(lambda until: uploads_without_http(images, ASKED, 16, "block", until), short)
    _row("n = 16, tar", alone, await bulk_loop(running.port, sixteen, 8, short), 16, BOUND_MANY)
    alone = at_once(lambda until: shards_without_http(folder, until), short)
    _row("shards of 500", alone, await bulk_loop(running.port, shard, 4, short), 500, BOUND_SHARDS)
    return capacity


async def print_half_load(
    running: Running, images: Sequence[bytes], capacity: float, seconds: float
) -> Results:
    """Single images at half of the capacity."""
    before = running.metric("synthgen_batch_samples_")
    found = await open_loop(
        Connections(running.port), lambda number: asked(images, number, ASKED), capacity / 2, seconds
    )
    after = running.metric("synthgen_batch_samples_")
    sums, counts = (
        sum(
            after[name] - before.get(name, 0)
            for name in after
            if name.startswith(f"synthgen_batch_samples_{what}")
        )
        for what in ("sum", "count")
    )
    single = sum(after[name] - before.get(name, 0) for name in after if 'lane="paste",le="1.0"' in name)
    print(f"\nhalf of the capacity ({capacity / 2:.0f}/s) for {seconds:g} s\n  {found.told()}")
    print(f"  batches: mean {sums / counts:.2f} samples, {1 - single / counts:.0%} of more than one")
    return found


async def print_overload(
    running: Running, images: Sequence[bytes], capacity: float, half: Results, seconds: float
) -> None:
    """Twice the capacity, and what follows."""
    before = memory_now(running)
    running.memory.peak = 0
    found = await open_loop(
        Connections(running.port), lambda number: asked(images, number, ASKED), 2 * capacity, seconds
    )
    peak = running.memory.peak
    started = time.perf_counter()
    answer = await Connections(running.port).ask(asked(images, 0, ASKED))
    recovered = time.perf_counter() - started
    ratio = found.percentile(0.99) / half.percentile(0.99)
    print(f"\ntwice the capacity ({2 * capacity:.0f}/s) for {seconds:g} s\n  {found.told()}")
    print(f"  p99 of the accepted: {ratio:.1f} times that at half load (bound 10)")
    print(f"  refusals without Retry-After: {found.without_retry_after}")
    print(f"  memory: {before / 1e6:.0f} MB before, at most {peak / 1e6:.0f} MB")
    print(f"  afterwards: {answer.status} after {recovered:.2f} s (bound 2)")


async def print_large(running: Running) -> None:
    """Many clients with large images at once: bounded memory, and the bytes of single requests."""
    images = [large_picture(number) for number in range(4)]
    connections = Connections(running.port)
    requests = [asked(images, number, ASKED) for number in range(LARGE_CLIENTS)]
    alone = {number: await until_done(connections, requests[number]) for number in range(0, LARGE_CLIENTS, 8)}
    running.memory.peak = 0
    before = memory_now(running)
    started = time.perf_counter()
    together = await asyncio.gather(*(until_done(connections, request) for request in requests))
    seconds = time.perf_counter() - started
    equal = sum(together[number] == digest for number, digest in alone.items())
    print(f"\n{LARGE_CLIENTS} clients at once, images of {len(images[0]) / 1e6:.1f} MB: {seconds:.1f} s")
    print(f"  memory: {before / 1e6:.0f} MB before, at most {running.memory.peak / 1e6:.0f} MB")
    print(f"  {equal} of {len(alone)} answers compared are those of single requests")


async def until_done(connections: Connections, request: bytes) -> str:
    """The hash of an answer, asked for again as the service says."""
    while (answer := await connections.ask(request)).status == 429:
        await asyncio.sleep(float(answer.headers[b"retry-after"]))
    assert answer.status == 200, answer.body[:300]
    return sha256(answer.body).hexdigest()


def asked(images: Sequence[bytes], number: int, recipe: dict[str, object]) -> bytes:
    """A request for one sample of one of the images."""
    return form_request(
        images[number % len(images)], "image/png", recipe=json.dumps(recipe), n=1, seed=number
    )


def pictures() -> list[bytes]:
    """PNGs of 256 x 256 crops of the coffee cup and the cat."""
    from synthgen.images.decode import decode

    source = BuiltinSource.model_validate({"categories": ["coffee", "cat"]})
    whole = [np.asarray(decode(source.read(entry.path)), np.uint8) for entry in source.entries()]
    stream = np.random.default_rng(0)
    crops = []
    for number in range(IMAGES):
        image = whole[number % len(whole)]
        top, left = (int(stream.integers(0, size - 256 + 1)) for size in image.shape[:2])
        crops.append(png.encode(np.ascontiguousarray(image[top : top + 256, left : left + 256])))
    return crops


def large_picture(number: int) -> bytes:
    """A PNG of about 5 MB."""
    noise = np.random.default_rng(number).integers(0, 60, (LARGE_SIDE, LARGE_SIDE, 3)).astype(np.uint8)
    return png.encode(cv2.GaussianBlur(noise, (0, 0), 0.6) + np.uint8(90))


@contextmanager
def serving(folder: Path) -> Iterator[Running]:
    """The service on a free port, with the recipe of this benchmark."""
    import socket

    (folder / "recipes").mkdir()
    (folder / "recipes/bench.yaml").write_text(RECIPE)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = int(listening.getsockname()[1])
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "synthgen.cli", "serve", "--port", str(port)),
            *("--recipes", str(folder / "recipes")),
        ],
        env={
            **os.environ,
            "SYNTHGEN_CACHE_DIR": str(folder / "cache"),
            "SYNTHGEN_CACHE_BYTES": str(2 * 10**9),
        },
        stderr=subprocess.DEVNULL,
    )
    memory = PeakMemory(process.pid)
    watching = threading.Event()

    def watch() -> None:
        while not watching.wait(0.5):
            memory.look()

    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz"):
                    break
            except OSError:
                time.sleep(0.2)
        threading.Thread(target=watch, daemon=True).start()
        yield Running(port, memory)
    finally:
        watching.set()
        process.terminate()
        process.wait()


def memory_now(running: Running) -> int:
    """Bytes of the service and its processes."""
    peak, running.memory.peak = running.memory.peak, 0
    running.memory.look()
    now, running.memory.peak = running.memory.peak, max(peak, running.memory.peak)
    return now


def _row(name: str, alone: float, found: Results, samples: int, bound: float) -> None:
    rate = found.rate * samples
    print(f"{name:<20} {alone:12.0f}/s {rate:8.0f}/s {rate / alone:7.0%} {bound:6.0%}", flush=True)


if __name__ == "__main__":
    main()
