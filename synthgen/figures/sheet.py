"""The layout of a sheet: a title, groups of tiles in a grid, and the notes below each group."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import cast

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from synthgen.figures.tiles import HEAT_TOP, Colour, heat_colours
from synthgen.images.pixels import Pixels

PAPER: Colour = (255, 255, 255)
PANEL: Colour = (243, 244, 246)
FRAME: Colour = (209, 213, 219)
QUIET: Colour = (107, 114, 128)
INK: Colour = (31, 35, 42)

MARGIN = 72
TITLE = 60
SUBTITLE = 26
HEADING = 23
LEGEND_WIDTH = 300
LEGEND_BAR = 18
NOTE_SPACE = 16
SHEET_RATIO = 1.6
EMPTINESS_COST = 1.5
"""How much worse a sheet is for empty places than for a wrong ratio."""
LINE_HEIGHT = 1.3


@dataclass(frozen=True, slots=True)
class Note:
    """Two lines below a tile: what matters, and a detail."""

    head: str
    detail: str


@dataclass(frozen=True, slots=True)
class Group:
    """The tiles of one sample, each (h, w, 3) uint8 or None for an empty place, and the notes below them.

    Each note stands below its tile; where there are fewer notes than tiles, the last has all the space left.
    """

    tiles: tuple[Pixels | None, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Style:
    """Sizes in pixels: of a tile's longer side, of the spaces and of the text."""

    tile: int
    gap: int
    group_gap: int
    row_gap: int
    caption: int
    detail: int


def paint(
    groups: Sequence[Group],
    title: str,
    subtitle: str,
    style: Style,
    *,
    headings: Sequence[str] = (),
    columns: int | None = None,
) -> Image.Image:
    """Paint the groups in rows below a title; headings above the tiles bring the heat map's legend along.

    Every group has as many tiles as the first; ``columns`` groups stand in a row, or as many as make 16:10.
    """
    return _Sheet(groups, title, subtitle, style, headings, columns).paint()


@lru_cache(maxsize=16)
def font(size: int) -> ImageFont.FreeTypeFont:
    """The typeface that comes with Pillow, at ``size`` pixels; it knows little more than ASCII."""
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))


def text_width(text: str, size: int) -> int:
    """Pixels that a line of text needs."""
    return math.ceil(font(size).getlength(text))


def wrapped(text: str, size: int, width: int) -> list[str]:
    """The text broken between words into lines of at most ``width`` pixels."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@dataclass(frozen=True)
class _Sheet:
    groups: Sequence[Group]
    title: str
    subtitle: str
    style: Style
    headings: Sequence[str]
    wanted_columns: int | None

    def paint(self) -> Image.Image:
        size = self._sheet_size(self.columns)
        image = Image.new("RGB", size, PAPER)
        draw = ImageDraw.Draw(image)
        self._paint_header(image, draw)
        for position, group in enumerate(self.groups):
            row, column = divmod(position, self.columns)
            left = MARGIN + column * (self.group_width + self.style.group_gap)
            top = self.grid_top + row * (self.group_height + self.style.row_gap)
            if row == 0:
                self._paint_headings(draw, left)
            self._paint_group(image, draw, group, left, top)
        return image

    @cached_property
    def columns(self) -> int:
        """The wanted number, or the one whose sheet is nearest to 16:10 with few empty places."""
        if self.wanted_columns is not None:
            return self.wanted_columns
        return min(range(1, len(self.groups) + 1), key=self._misfit)

    def _misfit(self, columns: int) -> float:
        width, height = self._sheet_size(columns)
        places = columns * math.ceil(len(self.groups) / columns)
        empty = 1 - len(self.groups) / places
        return abs(math.log(width / height / SHEET_RATIO)) + EMPTINESS_COST * empty

    def _sheet_size(self, columns: int) -> tuple[int, int]:
        rows = math.ceil(len(self.groups) / columns)
        grid_width = columns * self.group_width + (columns - 1) * self.style.group_gap
        grid_height = rows * self.group_height + (rows - 1) * self.style.row_gap
        width = max(grid_width, self._header_width())
        return width + 2 * MARGIN, self.grid_top + grid_height + MARGIN

    def _header_width(self) -> int:
        text = max(text_width(self.title, TITLE), text_width(self.subtitle, SUBTITLE))
        return text + (MARGIN + LEGEND_WIDTH if self.headings else 0)

    @property
    def grid_top(self) -> int:
        headings = 2 * HEADING if self.headings else 0
        return MARGIN + TITLE + SUBTITLE + 60 + headings

    @cached_property
    def cell_width(self) -> int:
        """Wide enough for every tile, heading and note."""
        tiles = (int(tile.shape[1]) for group in self.groups for tile in group.tiles if tile is not None)
        headings = (text_width(heading, HEADING) for heading in self.headings)
        notes = (
            self._needed_width(group, number) for group in self.groups for number in range(len(group.notes))
        )
        return max((*tiles, *headings, *notes))

    def _needed_width(self, group: Group, number: int) -> int:
        note, span = group.notes[number], _span(group, number)
        heads, details = (
            ([note.head], [note.detail]) if span == 1 else (note.head.split(), note.detail.split())
        )
        widths = [text_width(text, self.style.caption) for text in heads]
        widths += [text_width(text, self.style.detail) for text in details]
        return math.ceil(max(widths) / span) + NOTE_SPACE

    @cached_property
    def cell_height(self) -> int:
        return max(int(tile.shape[0]) for group in self.groups for tile in group.tiles if tile is not None)

    @property
    def group_width(self) -> int:
        return self._span_width(len(self.groups[0].tiles))

    def _span_width(self, cells: int) -> int:
        return cells * self.cell_width + (cells - 1) * self.style.gap

    @cached_property
    def group_height(self) -> int:
        notes = (
            sum(round(size * LINE_HEIGHT) for _, size, _ in self._lines(group, number))
            for group in self.groups
            for number in range(len(group.notes))
        )
        return self.cell_height + self.style.caption // 2 + max(notes)

    def _lines(self, group: Group, number: int) -> list[tuple[str, int, Colour]]:
        """A note's lines with their size and colour."""
        width = self._span_width(_span(group, number))
        note, style = group.notes[number], self.style
        heads = [(line, style.caption, INK) for line in wrapped(note.head, style.caption, width)]
        return heads + [(line, style.detail, QUIET) for line in wrapped(note.detail, style.detail, width)]

    def _paint_header(self, image: Image.Image, draw: ImageDraw.ImageDraw) -> None:
        draw.text((MARGIN, MARGIN), self.title, INK, font(TITLE), anchor="lt")
        draw.text((MARGIN, MARGIN + TITLE + 14), self.subtitle, QUIET, font(SUBTITLE), anchor="lt")
        if self.headings:
            self._paint_legend(image, draw)

    def _paint_legend(self, image: Image.Image, draw: ImageDraw.ImageDraw) -> None:
        left, top = image.width - MARGIN - LEGEND_WIDTH, MARGIN
        draw.text((left, top), "change, grey levels", QUIET, font(HEADING), anchor="lt")
        ramp = np.linspace(0, HEAT_TOP, LEGEND_WIDTH, dtype=np.float32)
        bar = heat_colours(np.tile(ramp, (LEGEND_BAR, 1)))
        image.paste(Image.fromarray(bar), (left, top + 32))
        below = top + 32 + LEGEND_BAR + 8
        for share, anchor in ((0.0, "lt"), (0.5, "mt"), (1.0, "rt")):
            level = f"{share * HEAT_TOP:.0f}" + ("+" if share == 1 else "")
            draw.text((left + share * LEGEND_WIDTH, below), level, QUIET, font(HEADING), anchor=anchor)

    def _paint_headings(self, draw: ImageDraw.ImageDraw, left: int) -> None:
        baseline = self.grid_top - HEADING * 2 // 3
        for number, heading in enumerate(self.headings):
            place = (left + self._cell_left(number), baseline)
            draw.text(place, heading, QUIET, font(HEADING), anchor="ls")

    def _paint_group(
        self, image: Image.Image, draw: ImageDraw.ImageDraw, group: Group, left: int, top: int
    ) -> None:
        shape = next(tile.shape for tile in group.tiles if tile is not None)
        for number, tile in enumerate(group.tiles):
            place = (left + self._cell_left(number), top + self.cell_height - shape[0])
            corner = (place[0] + shape[1], place[1] + shape[0])
            draw.rectangle((place[0] - 1, place[1] - 1, *corner), PANEL, FRAME)
            if tile is not None:
                image.paste(Image.fromarray(tile), place)
        for number in range(len(group.notes)):
            below = top + self.cell_height + self.style.caption // 2
            for line, size, colour in self._lines(group, number):
                draw.text((left + self._cell_left(number), below), line, colour, font(size), anchor="la")
                below += round(size * LINE_HEIGHT)

    def _cell_left(self, number: int) -> int:
        return number * (self.cell_width + self.style.gap)


def _span(group: Group, number: int) -> int:
    """How many tiles wide a note may be."""
    return len(group.tiles) - number if number == len(group.notes) - 1 else 1
