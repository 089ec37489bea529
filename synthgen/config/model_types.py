"""The types of pydantic models read as data: which fields, members and choices there are, and in words."""

import re
import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

_SCALARS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_PLURALS = {"text": "texts", "a whole number": "whole numbers", "a number": "numbers"}


def bare(annotation: Any) -> Any:
    """A type without its annotations."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def members(annotation: Any) -> list[Any]:
    """The types that a value may have: those of a union (None left out), or the one."""
    annotation = bare(annotation)
    if get_origin(annotation) not in (Union, types.UnionType):
        return [annotation]
    return [inner for each in get_args(annotation) if each is not type(None) for inner in members(each)]


def fields(annotation: Any) -> list[str]:
    """The names of a model's fields; empty for any other type."""
    return list(annotation.model_fields) if _is_model(annotation) else []


def literals(annotation: Any) -> list[str]:
    """The values that a type names one by one."""
    return [
        str(value) for each in members(annotation) if get_origin(each) is Literal for value in get_args(each)
    ]


def choices(annotation: Any, tag: str) -> list[str]:
    """The values that the field ``tag`` may have among the models of a discriminated union."""
    models = [each for each in members(annotation) if tag in fields(each)]
    return [value for model in models for value in literals(model.model_fields[tag].annotation)]


def tagged(annotation: Any, label: str) -> Any:
    """The model of a union that the value ``label`` of one of its fields chooses; None if there is none."""
    for each in members(annotation):
        if any(label in literals(each.model_fields[name].annotation) for name in fields(each)):
            return each
    return None


def labelled(annotation: Any, label: str) -> Any:
    """The member of a union that pydantic calls ``label`` in its errors; None if there is none."""
    name = re.match(r"(?:function-\w+\[\w+\(\), )*(\w*)", label)
    return next((each for each in members(annotation) if name and _label(each) == name[1]), None)


def inner(annotation: Any, part: str | int) -> Any:
    """The type of a field of a model, or of an entry of a list, tuple or mapping; None if unknown."""
    if _is_model(annotation):
        return bare(annotation.model_fields[part].annotation) if part in annotation.model_fields else None
    arguments = get_args(annotation)
    if _is_fixed(annotation):
        return bare(arguments[part]) if isinstance(part, int) and part < len(arguments) else None
    return bare(arguments[-1 if get_origin(annotation) is dict else 0]) if arguments else None


def in_words(annotation: Any) -> str:
    """What a value of the type is: ``a number``, ``png, jpg or webp``; empty for a type without words."""
    words = list(dict.fromkeys(word for each in members(annotation) for word in _words(each)))
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _words(annotation: Any) -> list[str]:
    origin, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if origin is Literal:
        return [str(value) for value in arguments]
    if _is_model(annotation) or origin is dict:
        return ["a group of fields"]
    if _is_fixed(annotation):
        return [f"a list of {len(arguments)} {_PLURALS.get(in_words(arguments[0]), 'entries')}"]
    if origin in (list, tuple, set, frozenset, Sequence):
        entries = _PLURALS.get(in_words(arguments[0])) if arguments else None
        return [f"a list of {entries}" if entries else "a list"]
    if annotation in _SCALARS:
        return [_SCALARS[annotation]]
    return ["text"] if isinstance(annotation, type) else []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_fixed(annotation: Any) -> bool:
    return get_origin(annotation) is tuple and Ellipsis not in get_args(annotation)


def _label(annotation: Any) -> str:
    origin = get_origin(annotation) or annotation
    return "literal" if origin is Literal else str(getattr(origin, "__name__", origin))
