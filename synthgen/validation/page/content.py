"""What a page is made of, before it has a form: sections of sentences, tables, plots and pictures."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from synthgen.validation.report import Picture


@dataclass(frozen=True)
class Paragraphs:
    """Texts one below the other."""

    kind: ClassVar[str] = "paragraphs"
    texts: Sequence[str]


@dataclass(frozen=True)
class Items:
    """A list of texts."""

    kind: ClassVar[str] = "items"
    texts: Sequence[str]


@dataclass(frozen=True)
class Terms:
    """Names, and what they mean or what their value is."""

    kind: ClassVar[str] = "terms"
    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Cell:
    """A cell of a table."""

    text: str
    detail: str = ""
    """What is smaller, below the text."""
    heat: float | None = None
    """How strongly the cell is coloured, 0 to 1; its text says the same."""
    framed: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    title: str
    words: bool = False
    """Whether it holds words, not numbers."""


@dataclass(frozen=True)
class Group:
    """Rows of a table below a title of their own; the first cell of a row names it."""

    title: str
    """Empty for the only group of a table."""
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Table:
    """A table; rows have as many cells as there are columns."""

    kind: ClassVar[str] = "table"
    label: str
    """What it shows, for who cannot see it."""
    columns: Sequence[Column]
    groups: Sequence[Group]
    folded: bool = False
    """Whether it is seen only when it is asked for, or printed."""


@dataclass(frozen=True)
class Plot:
    """A plot."""

    caption: str
    alternative: str
    """What it shows, for who cannot see it."""
    draw: Callable[[], str]
    """Draws it as SVG; its ids are its own in the page."""


@dataclass(frozen=True)
class Plots:
    """Plots beside each other; their numbers also stand in a table."""

    kind: ClassVar[str] = "plots"
    plots: Sequence[Plot]


@dataclass(frozen=True)
class Gallery:
    """Pictures one below the other."""

    kind: ClassVar[str] = "gallery"
    pictures: Sequence[Picture]


Part = Paragraphs | Items | Terms | Table | Plots | Gallery


@dataclass(frozen=True)
class Section:
    """A part of the page below a heading."""

    title: str
    says: str
    """What its numbers mean, in a sentence; may be empty."""
    parts: Sequence[Part]

    @property
    def anchor(self) -> str:
        """Its id in the page."""
        return re.sub(r"[^a-z]+", "-", self.title.lower()).strip("-")
