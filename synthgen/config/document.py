"""YAML with a place for every value: what was written, in which line, or on the command line.

Scalars follow YAML 1.2 (only ``true`` and ``false`` are booleans, ``1e-3`` is a number), so that a
category called ``no`` or ``01`` stays text.
"""

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from synthgen.errors import InputError

MAX_NODES = 10_000
MAX_DEPTH = 50
SHOWN_CHARACTERS = 60
BEYOND_THE_LINES = 10**9
"""The line of what was not written in a file, to sort it behind what was."""

_INTEGER = re.compile(r"[-+]?(?:0|[1-9](?:_?[0-9])*)\Z")
FLOAT = re.compile(
    r"[-+]?(?:(?:0|[1-9](?:_?[0-9])*)?\.[0-9]+|(?:0|[1-9](?:_?[0-9])*)\.?)(?:[eE][-+]?[0-9]+)?\Z"
    r"|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
)
_BOOLEAN = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_TAG = "tag:yaml.org,2002:"
_TAGS = ("str", "bool", "int", "float", "null", "seq", "map")


Place = tuple[str | int, ...]
"""Where a value stands in a document: names of fields, positions in lists."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: at which path of the document, and where that was written."""

    place: str
    line: int
    path: Place
    message: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.place, one_line(path_text(self.path)), one_line(self.message))))


@dataclass(slots=True)
class Node:
    """A value with the place where it was written; ``text`` is how a scalar was written."""

    place: str
    line: int
    value: "bool | int | float | str | list[Node] | dict[str, Node] | None"
    text: str = ""

    def child(self, part: str | int) -> "Node | None":
        """The entry of a list or the field of a mapping; None where there is none."""
        if isinstance(self.value, dict) and isinstance(part, str):
            return self.value.get(part)
        if isinstance(self.value, list) and isinstance(part, int) and 0 <= part < len(self.value):
            return self.value[part]
        return None

    def put(self, part: str | int, child: "Node") -> None:
        """Replace the field or entry ``part``, as ``child`` finds it; a mapping also gets new fields."""
        if isinstance(self.value, dict):
            self.value[str(part)] = child
        elif isinstance(self.value, list):
            self.value[int(part)] = child

    def plain(self) -> Any:
        """The value alone, made of dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {name: child.plain() for name, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def shown(self) -> str:
        """The value on one short line, for a message."""
        return shortened(self._flow())

    def _flow(self) -> str:
        if isinstance(self.value, dict):
            return "{" + ", ".join(f"{name}: {child._flow()}" for name, child in self.value.items()) + "}"
        if isinstance(self.value, list):
            return "[" + ", ".join(child._flow() for child in self.value) + "]"
        return self.text


@dataclass(slots=True)
class Document:
    """A parsed YAML text, and what is wrong with it before any model looks at it."""

    root: Node
    problems: list[Problem] = field(default_factory=list)


def one_line(text: str) -> str:
    """A text without line breaks and control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def shortened(text: str) -> str:
    """At most SHOWN_CHARACTERS of a text."""
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def path_text(path: Place) -> str:
    """``synthesizers[0].area`` of ("synthesizers", 0, "area")."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def parse(text: str, name: str, *, numbered: bool = True) -> Document:
    """Parse one YAML document called ``name``; its lines are named unless ``numbered`` is false.

    Raises InputError where it is not YAML, or has more than MAX_NODES values or MAX_DEPTH levels.
    """
    return _Reader(name, numbered).read(text)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe composer with YAML 1.2 scalars and a bound on the size and depth of the document."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own way to replace the rules)
    depth = 0
    nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        self.nodes += 1
        if self.depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise _TooLargeError(self.peek_event().start_mark.line + 1, deep=self.depth > MAX_DEPTH)  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


_Loader.add_implicit_resolver(_TAG + "bool", _BOOLEAN, list("tTfF"))
_Loader.add_implicit_resolver(_TAG + "null", _NULL, ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_TAG + "int", _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver(_TAG + "float", FLOAT, list("-+.0123456789"))


class _TooLargeError(Exception):
    def __init__(self, line: int, *, deep: bool) -> None:
        self.line = line
        self.message = (
            f"nested too deep (more than {MAX_DEPTH} levels)" if deep else f"more than {MAX_NODES} values"
        )


class _Reader:
    """Turns PyYAML's nodes into ours, and collects what is wrong on the way."""

    def __init__(self, name: str, numbered: bool) -> None:
        self.name = name
        self.numbered = numbered
        self.problems: list[Problem] = []
        self.nodes = 0

    def read(self, text: str) -> Document:
        try:
            root = _Loader(text).get_single_node()
            if root is None:
                return Document(Node(self._place(1), self._line(None), None, "nothing"))
            return Document(self._node(root, ()), self.problems)
        except _TooLargeError as error:
            raise InputError(f"{self._place(error.line)}: {error.message}") from None
        except yaml.MarkedYAMLError as error:
            raise InputError(self._broken(error)) from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise InputError(
                f"{self._place(line)}: broken YAML: character #x{error.character:04x} is not allowed in text"
            ) from None

    def _place(self, line: int, column: int | None = None) -> str:
        if not self.numbered:
            return self.name
        return f"{self.name}:{line}" if column is None else f"{self.name}:{line}:{column}"

    def _line(self, mark: yaml.Mark | None) -> int:
        return (mark.line + 1 if mark else 1) if self.numbered else BEYOND_THE_LINES

    def _broken(self, error: yaml.MarkedYAMLError) -> str:
        mark = error.problem_mark or error.context_mark
        place = self._place(mark.line + 1, mark.column + 1) if mark else self.name
        if "'\\t'" in (error.problem or ""):
            return f"{place}: a tab, which YAML does not take between values; write spaces instead"
        context, since = error.context or "", error.context_mark
        if context.startswith("while") and since and mark and since.line != mark.line:
            context += f" that began in line {since.line + 1}"
        problem = (error.problem or "").replace("'<stream end>'", "the end of the text")
        problem = problem.replace("expected ':'", "expected a colon and a space")
        return f"{place}: broken YAML: {', '.join(part for part in (context, problem) if part)}"

    def _node(self, node: yaml.Node, path: Place) -> Node:
        self.nodes += 1
        line = self._line(node.start_mark)
        if self.nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise _TooLargeError(line, deep=len(path) > MAX_DEPTH)
        if not node.tag.startswith(_TAG) or node.tag.removeprefix(_TAG) not in _TAGS:
            tag = node.tag.replace(_TAG, "!!")
            self._report(line, path, f"expected a plain value, found the YAML tag {tag}")
            return Node(self._place(line), line, None)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        items = [self._node(item, (*path, position)) for position, item in enumerate(node.value)]
        return Node(self._place(line), line, items)

    def _mapping(self, node: yaml.MappingNode, path: Place) -> Node:
        line = self._line(node.start_mark)
        fields: dict[str, Node] = {}
        for key, value in node.value:
            key_line = self._line(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self._report(
                    key_line, path, "expected a field's name before the colon, found a list or a group"
                )
                continue
            inner = (*path, key.value)
            if key.value == "<<":
                what = path_text(path) or "the recipe"
                raise InputError(
                    f"{self._place(key_line)}: {what}: merge keys (<<) are not read; write the other fields "
                    "out, or give single values an anchor (&name) and use them by *name"
                )
            child = self._node(value, inner)
            child.place, child.line = self._place(key_line), key_line
            if key.value in fields:
                self._report(key_line, inner, f"given twice{self._first(fields[key.value])}")
            else:
                fields[key.value] = child
        return Node(self._place(line), line, fields)

    def _first(self, node: Node) -> str:
        return f" (first in line {node.line})" if self.numbered else ""

    def _scalar(self, node: yaml.ScalarNode, path: Place) -> Node:
        line = self._line(node.start_mark)
        written = Node(self._place(line), line, None, self._written(node))
        kind, text = node.tag.removeprefix(_TAG), str(node.value)
        if kind == "str" and _UNPRINTABLE.search(text):
            self._report(line, path, f"expected text without control characters, found {json.dumps(text)}")
        elif kind == "str":
            written.value = text
        elif kind == "bool" and _BOOLEAN.match(text):
            written.value = text.lower() == "true"
        elif kind in ("int", "float") and (_INTEGER.match(text) or FLOAT.match(text)):
            written.value = self._number(text, written, path)
        elif kind != "null":
            self._report(line, path, f"expected a value of type {kind}, found {written.shown()}")
        return written

    @staticmethod
    def _written(node: yaml.ScalarNode) -> str:
        if node.style in ("'", '"', "|", ">"):
            return json.dumps(node.value, ensure_ascii=False)
        return " ".join(str(node.value).split()) or "nothing"

    def _number(self, text: str, written: Node, path: Place) -> int | float | None:
        digits = text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan")
        number = float(digits)
        if not math.isfinite(number):
            self._report(written.line, path, f"expected a finite number, found {written.shown()}")
            return None
        if _INTEGER.match(text):
            return int(digits)
        return int(number) if number.is_integer() and abs(number) < 2**53 else number

    def _report(self, line: int, path: Place, message: str) -> None:
        self.problems.append(Problem(self._place(line), line, path, message))
