"""Recipes as YAML files: read with the line of every mistake, changed by ``--set``, written in full."""

import json
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from synthgen.config.document import (
    Document,
    Node,
    Place,
    Problem,
    one_line,
    parse,
    path_text,
    shortened,
)
from synthgen.config.explain import explain
from synthgen.config.listing import listed
from synthgen.errors import InputError

MAX_YAML_BYTES = 1_000_000

Model = TypeVar("Model", bound=BaseModel)


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


class FieldError(InputError):
    """What is wrong with a document, field by field; as text, a line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line)
        super().__init__(_lines(self.problems))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_YAML_BYTES + 1)
    except IsADirectoryError:
        raise InputError(
            f"{path}: is a folder; expected a recipe (a YAML file; `synthgen init` writes one)"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if len(data) > MAX_YAML_BYTES:
        raise InputError(
            f"{path}: more than {MAX_YAML_BYTES} bytes; expected a recipe of a few lines of YAML"
        )
    # Windows' own tools write UTF-16, and say so by a mark at the start.
    encoding = "utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}: not a text file (byte 0x{data[error.start]:02x} in line {line} is not"
            f" {encoding.upper()}); expected a recipe in YAML, saved as UTF-8"
        ) from None


def _no_fields(document: Document, name: str, model: type[BaseModel]) -> str:
    if document.root.value is None:
        return f"{name}: empty; expected the fields {', '.join(model.model_fields)}"
    return f"{document.root.place}: expected fields (name: value), found {document.root.shown()}"


def _lines(problems: Sequence[Problem]) -> str:
    return "\n".join(listed([str(problem) for problem in problems]))


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
