"""What is wrong with a recipe, in its own words: pydantic's errors as path, found, expected, nearest name."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from synthgen.config.document import Document, Node, Place, Problem
from synthgen.config.model_types import choices, fields, in_words, inner, labelled, literals, members, tagged
from synthgen.config.nearest import nearest, nearest_name

_LIMITS = {
    "greater_than_equal": ("ge", "{} or more"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "at most {}"),
    "less_than": ("lt", "less than {}"),
    "string_too_long": ("max_length", "at most {} characters"),
    "string_too_short": ("min_length", "{} or more characters"),
    "string_pattern_mismatch": ("pattern", "text that matches {}"),
    "too_long": ("max_length", "at most {} entries"),
    "too_short": ("min_length", "{} or more entries"),
}


def explain(document: Document, model: type[BaseModel], error: ValidationError) -> list[Problem]:
    """Every problem of a document that ``model`` refused, one for each path."""
    entries = error.errors(include_url=False, include_input=False)
    faults = _without_misspelt(_collapse([_locate(document.root, model, entry) for entry in entries]))
    problems: dict[Place, Problem] = {}
    for fault in faults:
        problem = Problem(fault.node.place, fault.node.line, fault.path, _sentence(fault))
        problems.setdefault(problem.path, problem)
    return list(problems.values())


@dataclass(frozen=True, slots=True)
class _Choice:
    """The place where a value may have one of several types, and the one that an error is about."""

    path: Place
    annotations: Any
    branch: str


@dataclass(frozen=True, slots=True)
class _Fault:
    """One of pydantic's errors at its place in the document.

    ``node`` is the value, or what encloses a missing one; ``annotation`` the type wanted there and ``owner``
    the type that encloses it; ``choices`` are the places on the way where a value may have several types.
    """

    name: str
    path: Place
    node: Node
    annotation: Any
    owner: Any
    choices: tuple[_Choice, ...]
    error: Mapping[str, Any]

    def misfits(self, choice: _Choice) -> bool:
        """Whether the value has another shape than this type, rather than a fault inside that shape."""
        is_shape = self.name.endswith("_type") or self.name == "literal_error"
        return is_shape and self.path == choice.path


def _locate(root: Node, model: type[BaseModel], error: Mapping[str, Any]) -> _Fault:
    """Follow an error's location through the document and the types at once.

    Pydantic's locations also hold the names of union members, which are no part of the document; a missing
    entry of a pair is a fault of the pair, a wrong tag one of the tag.
    """
    name, location = error["type"], error["loc"]
    if name == "missing" and isinstance(location[-1], int):
        name, location = "wrong_length", location[:-1]
    elif name == "too_long" and error["ctx"]["field_type"] == "Tuple":
        name = "wrong_length"
    node, annotation, owner = root, model, model
    path: Place = ()
    passed: tuple[_Choice, ...] = ()
    for part in location:
        if len(members(annotation)) > 1:
            chosen = tagged(annotation, str(part))
            if chosen is None:
                chosen = labelled(annotation, str(part))
                passed = (*passed, _Choice(path, annotation, str(part)))
            annotation = chosen
        else:
            [owner] = members(annotation)
            annotation = inner(owner, part)
            path, node = (*path, part), node.child(part) or node
    if name.startswith("union_tag"):
        tag = error["ctx"]["discriminator"].strip("'")
        path, node = (*path, tag), node.child(tag) or node
    return _Fault(name, path, node, annotation, owner, passed, error)


def _collapse(faults: Sequence[_Fault], depth: int = 0) -> Iterator[_Fault]:
    """Of the errors about a value of several types, keep those of the type that it was meant to have.

    Choices within a chosen type, from the one at ``depth`` inwards, are treated alike.
    """
    groups: dict[Place, dict[str, list[_Fault]]] = {}
    for fault in faults:
        if len(fault.choices) <= depth:
            yield fault
            continue
        choice = fault.choices[depth]
        groups.setdefault(choice.path, {}).setdefault(choice.branch, []).append(fault)
    for group in groups.values():
        fitting = [
            own for own in group.values() if not any(each.misfits(each.choices[depth]) for each in own)
        ]
        if fitting:
            yield from _collapse(min(fitting, key=len), depth + 1)
        else:
            [fault, *_] = (
                each for own in group.values() for each in own if each.misfits(each.choices[depth])
            )
            yield replace(fault, annotation=fault.choices[depth].annotations)


def _without_misspelt(faults: Iterable[_Fault]) -> Iterator[_Fault]:
    """Leave out a missing field where a misspelt one beside it is named already: one slip, one line."""
    named = list(faults)
    misspelt = {
        (*fault.path[:-1], match)
        for fault in named
        if fault.name == "extra_forbidden" and (match := nearest(str(fault.path[-1]), fields(fault.owner)))
    }
    return (fault for fault in named if fault.name != "missing" or fault.path not in misspelt)


def _sentence(fault: _Fault) -> str:
    found = fault.node.shown()
    context = fault.error.get("ctx", {})
    if fault.name == "extra_forbidden":
        if now := _renamed(fault, str(fault.path[-1])):
            return f"is called {now} now (found {found})"
        names = _known(fault)
        advice = nearest_name(str(fault.path[-1]), names) or f"; known fields: {', '.join(names)}"
        return f"unknown field (found {found}){advice}"
    if fault.name == "value_error":
        return f"{context['error']} (found {found})"
    expected = f"expected {_expected(fault, context)}"
    if fault.name in ("missing", "union_tag_not_found"):
        return f"missing{_misspelt(fault)}; {expected}"
    return f"{expected}, found {found}{_advice(fault, found)}"


def _renamed(fault: _Fault, old: str) -> str | None:
    """What an old spelling of a field or of ``field: value`` is called now."""
    renamed: Mapping[str, str] = getattr(fault.owner, "renamed", {})
    return renamed.get(old)


def _known(fault: _Fault) -> list[str]:
    """The fields beside an unknown one: those of its model, and of the others that could stand there."""
    others = [choice.annotations for choice in fault.choices if choice.path == fault.path[:-1]]
    models = [fault.owner, *(member for annotations in others for member in members(annotations))]
    return list(dict.fromkeys(name for model in models for name in fields(model)))


def _misspelt(fault: _Fault) -> str:
    """The field that may have been meant for a missing one."""
    present = fault.node.value if isinstance(fault.node.value, dict) else {}
    match = nearest(str(fault.path[-1]), present)
    return f" (found {match})" if match else ""


def _expected(fault: _Fault, context: Mapping[str, Any]) -> str:
    if fault.name.startswith("union_tag"):
        return f"one of {', '.join(_names(fault))}"
    if fault.name in _LIMITS:
        key, words = _LIMITS[fault.name]
        return words.format(_bound(context[key]))
    return in_words(fault.annotation) or str(fault.error["msg"])


def _advice(fault: _Fault, found: str) -> str:
    value = fault.node.value
    if isinstance(value, str):
        if fault.path and (now := _renamed(fault, f"{fault.path[-1]}: {value}")):
            return f"; it is called {now} now"
        return nearest_name(value, _names(fault))
    if fault.name == "tuple_type" and type(value) in (int, float):
        return f"; such as [{found}, {found}]"
    if str in members(fault.annotation) and isinstance(value, bool | int | float):
        return f'; put it in quotes: "{found}"'
    return ""


def _names(fault: _Fault) -> list[str]:
    """The values that can be named one by one, of which one may have been meant."""
    is_tag = fault.name.startswith("union_tag")
    return choices(fault.annotation, str(fault.path[-1])) if is_tag else literals(fault.annotation)


def _bound(number: object) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)
