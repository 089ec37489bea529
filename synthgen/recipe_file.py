"""Recipes as YAML files: read with the line of every mistake, changed by ``--set``, written in full."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from synthgen.errors import InputError
from synthgen.recipe_errors import explain, nearest_name
from synthgen.recipe_yaml import FLOAT, Document, Node, Place, Problem, one_line, parse, path_text, shortened

if TYPE_CHECKING:
    from synthgen.recipe import Recipe

MAX_BYTES = 1_000_000
MAX_TOLD = 10
RULES_FOLDER = "foreground"
"""The folder among the shipped recipes that holds published foreground rules instead."""

Model = TypeVar("Model", bound=BaseModel)


def load_recipe(path_or_name: str | Path, overrides: Sequence[str] = ()) -> "Recipe":
    """Read a recipe: a YAML file, or a shipped recipe by its name (``mixed``, ``sia/mvtec``).

    ``overrides`` are ``a.b=c`` texts whose value is YAML; list positions are numbers. Raises InputError.
    """
    from synthgen.recipe import Recipe

    return read_model(_find(path_or_name), Recipe, overrides)


def shipped_dir() -> Path:
    """The folder of the recipes that come with synthgen, in a checkout or an installed wheel."""
    package = Path(__file__).parent
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


def shipped_names() -> list[str]:
    """The names of the recipes that come with synthgen; those in a folder are ``folder/name``."""
    paths = [path.relative_to(shipped_dir()).with_suffix("") for path in shipped_dir().rglob("*.yaml")]
    return sorted(path.as_posix() for path in paths if path.parts[0] != RULES_FOLDER)


def read_model(path: Path, model: type[Model], overrides: Sequence[str] = ()) -> Model:
    """Read a YAML file as ``model``; InputError names the file, the line and the field of each mistake."""
    return parse_model(_text(path), str(path), model, overrides)


def parse_model(text: str, name: str, model: type[Model], overrides: Sequence[str] = ()) -> Model:
    """Read YAML text as ``model``; ``name`` stands for the file in the messages."""
    document = parse(text, name)
    if not isinstance(document.root.value, dict):
        if document.problems:
            raise FieldError(document.problems)
        raise InputError(_no_fields(document, name, model))
    for override in overrides:
        _override(document, override)
    problems = {problem.path: problem for problem in document.problems}
    try:
        result = model.model_validate_json(json.dumps(document.root.plain()), strict=True)
    except ValidationError as error:
        problems = {problem.path: problem for problem in explain(document, model, error)} | problems
        raise FieldError(problems.values()) from None
    if problems:
        raise FieldError(problems.values())
    return result


def dump_recipe(recipe: BaseModel) -> str:
    """The whole recipe as YAML, every field written; ``load_recipe`` reads an equal recipe from it."""
    return yaml.dump(
        recipe.model_dump(mode="json"), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )


def inline(value: Any) -> str:
    """A plain value as YAML in one line, as it may stand behind a field's name."""
    # Inside a list, because a document that is a lone scalar would end with a mark of its own.
    text: str = yaml.dump(
        [value], Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6
    )
    return text.strip()[1:-1]


class FieldError(InputError):
    """What is wrong with a document, field by field; as text, a line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line)
        super().__init__(_told(self.problems))


class _Dumper(yaml.SafeDumper):
    """Lists of scalars and texts of several lines stand in one line, and nothing is written as an alias."""

    def represent_sequence(
        self, tag: str, sequence: Any, flow_style: bool | None = None
    ) -> yaml.SequenceNode:
        node = super().represent_sequence(tag, sequence, flow_style)
        node.flow_style = node.flow_style or all(isinstance(item, yaml.ScalarNode) for item in node.value)
        return node

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style='"' if "\n" in data else None)

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(str, _Dumper.represent_str)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789"))


def _find(path_or_name: str | Path) -> Path:
    path = Path(path_or_name)
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


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise InputError(
            f"{path}: is a folder; expected a recipe (a YAML file; `synthgen init` writes one)"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: more than {MAX_BYTES} bytes; expected a recipe of a few lines of YAML")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not a text file (byte 0x{data[error.start]:02x} at position {error.start} is not"
            " UTF-8); expected a recipe in YAML"
        ) from None


def _no_fields(document: Document, name: str, model: type[BaseModel]) -> str:
    if document.root.value is None:
        return f"{name}: empty; expected the fields {', '.join(model.model_fields)}"
    return f"{document.root.place}: expected fields (name: value), found {document.root.shown()}"


def _told(problems: Sequence[Problem]) -> str:
    lines = [str(problem) for problem in problems]
    more = [f"and {len(lines) - MAX_TOLD} more"] if len(lines) > MAX_TOLD else []
    return "\n".join(lines[:MAX_TOLD] + more)


def _override(document: Document, override: str) -> None:
    """Put the value of ``a.b=c`` into the document, in place of what stands there."""
    place = f"--set {shortened(one_line(override))}"
    name, separator, text = override.partition("=")
    parts = re.sub(r"\[(\d+)\]", r".\1", name.strip()).split(".")
    if not separator or not all(parts):
        raise InputError(f"{place}: expected field=value, such as seed=7 or synthesizers.0.delta=[0.2, 0.5]")
    given = parse(text, place, numbered=False)
    node = document.root
    path: Place = ()
    for position, part in enumerate(parts):
        key = _key(node, part, path, place)
        is_last = position == len(parts) - 1
        child = given.root if is_last else node.child(key)
        if child is None or (child.value is None and not is_last):
            child = Node(place, given.root.line, {})
        node.put(key, child)
        node, path = child, (*path, key)
    document.problems += [replace(each, path=(*path, *each.path)) for each in given.problems]


def _key(node: Node, part: str, path: Place, place: str) -> str | int:
    """The key of an override's step into ``node``: a field's name, or a position in a list."""
    if isinstance(node.value, dict):
        return part
    if not isinstance(node.value, list):
        raise InputError(f"{place}: {path_text(path)} has no fields; it is {node.shown()}")
    last = len(node.value) - 1
    if not part.isdecimal() or int(part) > last:
        raise InputError(f"{place}: expected an entry of {path_text(path)} from 0 to {last}, found {part}")
    return int(part)
