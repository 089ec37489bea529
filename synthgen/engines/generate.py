"""Writing the shards of a recipe, or what is missing of them."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from synthgen.engines.base import Engine, News
from synthgen.engines.local import LocalEngine, start_importing
from synthgen.engines.run import Run, open_run, require_shards
from synthgen.errors import InputError
from synthgen.pipeline.freeze import freeze
from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.devices import require_device
from synthgen.runtime.progress import Stages, silent
from synthgen.storage.output import OutputDirectory
from synthgen.storage.place import require_apart

Observer = Callable[[Run, News], None]
"""Called with the run and each piece of news of it, the first of them empty, before anything is made."""


def generate(
    recipe: Recipe | Plan,
    out: str | Path,
    *,
    shards: Sequence[int] | None = None,
    workers: int | None = None,
    device: str = "auto",
    engine: Engine | None = None,
    progress: Stages = silent,
    observer: Observer | None = None,
) -> Run:
    """Write the shards of a recipe or a plan to a directory or URL; what is there already is kept.

    ``shards`` are the numbers of those to make, ascending; without it all are. They are made by ``workers``
    processes of this machine (one a core, or a GPU) on ``device`` (``auto``, ``cpu``, ``cuda``), or by
    another ``engine``. Raises InputError where the images or the directory cannot be used, RunError where a
    shard cannot be made, or more than 1 % of the samples are rejected.
    """
    require_device(device)
    url = str(out)
    if url.startswith("memory:"):
        raise InputError(f"{url}: is seen by one process, and several write; give a directory or URL")
    source = recipe.source if isinstance(recipe, Recipe) else recipe.recipe.source
    require_apart(url, source.location, "the normal images")
    if isinstance(recipe, Recipe):
        start_importing(recipe)
        recipe = freeze(recipe, progress)
    require_shards(recipe, shards)
    directory = OutputDirectory(url)
    directory.create()
    refusal = f"{url}: another run is making these shards; wait for its end, or choose another --out"
    with directory.held(refusal, shards) as lock:
        with lock.beginning():
            run = open_run(recipe, url, shards)
        if observer:
            observer(run, News())
        with closing(run.make(engine or LocalEngine(workers, device))) as news:
            for each in news:
                if observer:
                    observer(run, each)
    return run
