"""The recipes that the service holds, each frozen once, and the models that requests may name."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from server.http.problems import without_folders
from server.settings import Settings
from synthgen.config.shipped import RULES_FOLDER, shipped_dir
from synthgen.diffusion.model_files import PinnedModel, pin
from synthgen.errors import InputError, SynthgenError
from synthgen.pipeline.freeze import Pins, find_ground, freeze_on
from synthgen.plan.plan import Plan
from synthgen.recipe.files import load_recipe
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.extras import has_extra, require_extra

LOGGER = logging.getLogger("synthgen.server")


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A recipe that cannot be served, and why."""

    recipe: Recipe | None
    reason: str


@dataclass(slots=True)
class Catalogue:
    """What the service was started with."""

    plans: dict[str, Plan] = field(default_factory=dict)
    unavailable: dict[str, Unavailable] = field(default_factory=dict)
    models: dict[str, PinnedModel] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    """Where the models lie, as a recipe names them."""

    @property
    def runs_networks(self) -> bool:
        """Whether there is a diffusion model that a request could name."""
        return bool(self.models)


def models_of(settings: Settings) -> Catalogue:
    """A catalogue of the models alone. Raises InputError for one that is not whole or has another's name."""
    catalogue = Catalogue()
    if settings.models:
        require_extra("sdas", "--model")
    if not has_extra("sdas"):
        return catalogue
    for name, path in [
        ("builtin", "builtin"),
        *((path.resolve().name, str(path)) for path in settings.models),
    ]:
        if name in catalogue.models:
            raise InputError(f"--model {path}: there is already a model named {name}; rename the directory")
        catalogue.models[name], catalogue.paths[name] = pin(path), path
    return catalogue


def freeze_all(catalogue: Catalogue, settings: Settings, is_stopping: Callable[[], bool]) -> None:
    """Freeze every recipe, unless the service stops; one that cannot be is noted as unavailable, and why."""
    pins = Pins()
    for name, path in recipe_files(settings):
        if is_stopping():
            return
        recipe: Recipe | None = None
        try:
            recipe = load_recipe(path)
            catalogue.plans[name] = freeze_on(find_ground(recipe), recipe, pins)
        except SynthgenError as error:
            reason = " ".join(str(error).split())
            catalogue.unavailable[name] = Unavailable(recipe, without_folders(reason))
            LOGGER.warning("recipe %s is not served: %s", name, reason)


def check_recipes(settings: Settings) -> None:
    """Raise InputError where the folder of recipes is none, or empty."""
    next(recipe_files(settings))


def recipe_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """The names and paths of the recipes, sorted. Raises InputError where the folder is none or empty."""
    folder = settings.recipes or shipped_dir()
    if not folder.is_dir():
        raise InputError(f"--recipes {folder}: is not a folder; give one with recipes (YAML files)")
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*.yaml"))
    named = [
        (path.with_suffix("").as_posix(), folder / path) for path in paths if path.parts[0] != RULES_FOLDER
    ]
    if not named:
        raise InputError(f"--recipes {folder}: holds no recipe (*.yaml)")
    yield from named
