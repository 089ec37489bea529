"""What the workers of the service do for requests and shards, in as many processes and without HTTP."""

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import synthgen
from server.settings import Settings
from server.workers.encoding import encode_samples
from server.workers.jobs import Encoding, Uploaded
from server.workers.pipelines import Plans
from synthgen.engines.worker import make_shard
from synthgen.pipeline.drafts import complete
from synthgen.pipeline.pipeline import Pipeline
from synthgen.recipe.files import load_recipe
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.processes import one_thread
from synthgen.sources.uploads import UploadSource
from synthgen.storage.output import OutputDirectory


def at_once(work: Callable[[float], int], seconds: float) -> float:
    """Samples a second of some work in one process for each core."""
    cores = len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("fork")
    counts = context.SimpleQueue()
    until = time.time() + seconds

    def count() -> None:
        one_thread()
        counts.put(work(until))

    # Forked, so that the work and its images need not be pickled.
    processes = [context.Process(target=count) for _ in range(cores)]
    for process in processes:
        process.start()
    made = sum(counts.get() for _ in processes)
    for process in processes:
        process.join()
    return made / seconds


def uploads_without_http(
    images: Sequence[bytes], asked_recipe: dict[str, object], n: int, encoding: Encoding, until: float
) -> int:
    """What a worker does for requests; returns the samples made."""
    settings = Settings()
    plans = Plans(settings.max_image_pixels, settings.max_sample_pixels)
    recipe = Recipe.model_validate(
        {"name": "request", "count": n, "split": "all", "source": {"kind": "builtin"}, **asked_recipe}
    )
    made = 0
    start = os.getpid()
    while time.time() < until:
        number = start + made
        one = recipe.model_copy(update={"source": UploadSource(), "seed": number})
        pipeline = plans.pipeline(Uploaded(one, "uploads", (images[number % len(images)],)))
        drafts = [pipeline.begin(index) for index in range(n)]
        complete(drafts, "cpu")
        encode_samples(encoding, [pipeline.finish(draft) for draft in drafts], pipeline.plan.recipe.output)
        made += n
    return made


def shards_without_http(folder: Path, until: float) -> int:
    """What a worker of generate does, to the disk; returns the samples made."""
    pipeline = Pipeline(synthgen.freeze(load_recipe(folder / "recipes/bench.yaml")))
    made = 0

    def count(samples: int) -> None:
        nonlocal made
        made += samples
        if time.time() > until:
            raise TimeoutError

    out = OutputDirectory(str(folder / f"out-{os.getpid()}"))
    out.create()
    for shard in range(10**6):
        try:
            make_shard(out, pipeline, shard, count)
        except TimeoutError:
            return made
    return made
