"""Comparing recipes by the detectors that learn from them."""

import os
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from synthgen.detectors.common.backbones import BackboneName
from synthgen.engines.base import Engine
from synthgen.engines.local import LocalEngine
from synthgen.errors import InputError
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.devices import chosen_device
from synthgen.runtime.extras import require_extra
from synthgen.runtime.progress import Stages, silent
from synthgen.sources.base import Source
from synthgen.storage.output import OutputDirectory
from synthgen.storage.place import is_url, local_path, require_apart
from synthgen.validation.entrants import Entrant, Network, detector_of
from synthgen.validation.product import require_rule
from synthgen.validation.protocol import BUDGETS, IMAGE_SIZE, BudgetName
from synthgen.validation.report import ValidationReport
from synthgen.validation.run import Run
from synthgen.validation.setting import Setting, look, named_recipes


def validate(
    recipes: Sequence[str | Path | Recipe],
    source: str | Path | Source,
    out: str | Path,
    *,
    real: str | Path | None = None,
    category: str | None = None,
    budget: BudgetName = "standard",
    seeds: int | None = None,
    tile: int | None = None,
    parts: str | None = None,
    backbone: BackboneName | None = None,
    weights: str = "imagenet",
    device: str = "auto",
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Stages = silent,
) -> ValidationReport:
    """Compare recipes by detectors that learn from them, and write a report to the directory ``out``.

    ``source`` holds good pictures of one product (``category``, where it holds several); ``real`` is a data
    set with its real defects, by which the recipes are then compared. ``budget`` is how much work it may be,
    and ``seeds`` how often every detector is fitted, if not as often as the budget says. ``tile`` cuts
    pictures into tiles of that side, in place of resizing them. ``parts`` is a regular expression that finds
    in a path which physical part it shows. ``workers`` processes share the work, one a core if left out, or
    those of an ``engine``.

    A run that was killed goes on when it is called again in the same way, and comes to the same report.
    Raises InputError for what cannot be used, before anything is fitted; RunError where fitting fails.
    """
    require_extra("detectors", "a validation")
    require_extra("report", "a validation")
    require_rule(parts)
    begun = monotonic()
    named = named_recipes(recipes)
    network = Network(backbone, weights, chosen_device(device))
    # What is wrong with the weights is said before the images are read.
    detector_of(Entrant("PaDiM", "reference", "padim"), BUDGETS[budget], IMAGE_SIZE, network)
    directory = _directory(out)
    place = source if isinstance(source, Source) else str(source)
    for each, what in ((place, "the normal images"), (real, "the real test images")):
        if each is not None and not isinstance(each, Source):
            require_apart(str(out), str(each), what)
    with directory.held(f"{out}: another validation is writing there; choose another --out"):
        found = look(place, None if real is None else str(real), category, tile, parts, progress=progress)
        setting = Setting(named, found, budget, seeds or BUDGETS[budget].seeds, network, parts)
        work = engine or LocalEngine(workers or _processes(network))
        run = Run(setting, local_path(out), work, progress)
        if (report := run.finished()) is not None:
            return report
        run.begin()
        run.perform()
        return run.finish(begun)


def _directory(out: str | Path) -> OutputDirectory:
    if is_url(str(out)):
        raise InputError(f"{out}: is a URL; a report is written to a directory of this machine")
    directory = OutputDirectory(str(local_path(out)))
    directory.create()
    return directory


def _processes(network: Network) -> int:
    return 1 if network.device == "cuda" else len(os.sched_getaffinity(0))
