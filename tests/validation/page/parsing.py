"""A page as its tests read it: tags that are balanced, text, and tables as rows of cells."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"br", "hr", "img", "input", "link", "meta"}

Attributes = dict[str, str | None]


@dataclass
class Table:
    """A table as text; a cell's smaller line stands behind ``; ``."""

    label: str = ""
    rows: list[list[str]] = field(default_factory=list)

    def row(self, name: str) -> list[str]:
        """The only row that begins with a name."""
        (found,) = [row for row in self.rows if row[0].partition("; ")[0] == name]
        return found


class Parsed(HTMLParser):
    """All that a page holds; raises AssertionError for a tag that is not closed where it should be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, Attributes]] = []
        self.texts: list[str] = []
        self.tables: list[Table] = []
        self.headings: list[tuple[int, str]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, f"{self._open} are never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self._open.append(tag)
        if tag == "table":
            self.tables.append(Table())
        elif tag == "tr":
            self.tables[-1].rows.append([])
        elif tag in ("th", "td"):
            self.tables[-1].rows[-1].append("")
        elif tag in ("h1", "h2", "h3"):
            self.headings.append((int(tag[1]), ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        opened = self._open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}> at line {self.getpos()[0]}"

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if not text:
            return
        self.texts.append(text)
        if {"th", "td"} & set(self._open):
            row = self.tables[-1].rows[-1]
            row[-1] += f"; {text}" if self._open[-1] == "small" else text
        elif self._open[-1] == "caption":
            self.tables[-1].label = text
        elif self._open[-1] in ("h1", "h2", "h3"):
            self.headings[-1] = (self.headings[-1][0], text)

    @property
    def text(self) -> str:
        """All text, a piece a line."""
        return "\n".join(self.texts)

    def table(self, label: str) -> Table:
        """The only table whose label begins so."""
        (found,) = [table for table in self.tables if table.label.startswith(label)]
        return found

    def of(self, tag: str) -> list[Attributes]:
        """The attributes of all tags of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]
