"""Recipes as YAML files: found by path or name, read, and written in full."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from synthgen.config.nearest import nearest_name
from synthgen.config.reader import read_model
from synthgen.config.shipped import RULES_FOLDER, shipped_dir
from synthgen.config.writer import document
from synthgen.errors import InputError
from synthgen.storage.place import local_path

if TYPE_CHECKING:
    from synthgen.recipe.recipe import Recipe


def load_recipe(path_or_name: str | Path, overrides: Sequence[str] = ()) -> "Recipe":
    """Read a recipe: a YAML file, or a shipped recipe by its name (``mixed``, ``sia/mvtec``).

    ``overrides`` are ``a.b=c`` texts whose value is YAML; list positions are numbers. Raises InputError.
    """
    from synthgen.recipe.recipe import Recipe

    return read_model(_find(path_or_name), Recipe, overrides)


def shipped_names() -> list[str]:
    """The names of the recipes that come with synthgen; those in a folder are ``folder/name``."""
    paths = [path.relative_to(shipped_dir()).with_suffix("") for path in shipped_dir().rglob("*.yaml")]
    return sorted(path.as_posix() for path in paths if path.parts[0] != RULES_FOLDER)


def dump_recipe(recipe: BaseModel) -> str:
    """The whole recipe as YAML, every field written; ``load_recipe`` reads an equal recipe from it."""
    return document(recipe.model_dump(mode="json"))


def _find(path_or_name: str | Path) -> Path:
    path = local_path(path_or_name)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        missing = True
    except (OSError, ValueError):
        missing = False
    else:
        missing = path.is_dir()
    name = path.as_posix().removeprefix("recipes/").removesuffix(".yaml")
    if missing and name in shipped_names():
        return shipped_dir() / f"{name}.yaml"
    if missing and not path.is_dir():
        names = shipped_names()
        advice = nearest_name(name, names) or nearest_name(path.stem, names)
        raise InputError(
            f"{path}: no such file, and no shipped recipe of that name{advice} (shipped: {', '.join(names)})"
        )
    return path
