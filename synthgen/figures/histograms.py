"""Histograms of shard statistics: as text for a terminal, and as a picture."""

from collections.abc import Mapping
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageDraw

from synthgen.errors import InputError
from synthgen.figures.charts import BLUE
from synthgen.figures.sheet import FRAME, INK, MARGIN, PANEL, PAPER, QUIET, SUBTITLE, TITLE, font
from synthgen.figures.tiles import Colour
from synthgen.images.own import drawn
from synthgen.shards.statistics import (
    AREA_EDGES,
    CONTRAST_EDGES,
    CONTRAST_STEP,
    GRID,
    ShardStatistics,
    look_normal_sentences,
)
from synthgen.storage.output import write_file

MOST_ROWS = 10
"""Categories and reasons beyond the most frequent ones are summed up in one row."""

BAR_COLUMNS = 40
EIGHTHS = " ▏▎▍▌▋▊▉█"
SHADES = " ░▒▓█"

WIDTH = 1600
GAP = 72
COLUMN = (WIDTH - 2 * MARGIN - GAP) // 2
HEADING = 28
LABEL = 20
HEADING_SPACE = 56
PLOT_HEIGHT = 300
TICK_SPACE = 44
ROW = 36


def text(statistics: ShardStatistics) -> str:
    """Outcomes, methods, categories, rejections, areas, contrasts and positions, for a terminal."""
    blocks = [[headline(statistics)]]
    blocks += [[title, *_text_bars(counts)] for title, counts in _tables(statistics).items()]
    if sentences := look_normal_sentences(statistics):
        blocks.append(["compared with good products", *(f"  {sentence}" for sentence in sentences)])
    if statistics.measured:
        areas = _trimmed(_area_labels(), statistics.areas)
        contrasts = _trimmed(_contrast_labels(), statistics.contrasts)
        blocks.append(["area, share of the image", *_text_bars(areas)])
        blocks.append(["contrast, grey levels", *_text_bars(contrasts)])
        blocks.append(["position of the box's centre", *_text_grid(statistics.positions)])
    return "\n\n".join("\n".join(block) for block in blocks)


def headline(statistics: ShardStatistics) -> str:
    """Numbers of samples and the means, in one line."""
    counted = f"{statistics.samples:,} samples, {statistics.anomalous:,} anomalous"
    if not statistics.measured:
        return counted
    mean = f"mean area {statistics.mean_area:.2%}, mean contrast {statistics.mean_contrast:.1f} grey levels"
    return f"{counted}; {mean}"


def save(statistics: ShardStatistics, out: str) -> None:
    """Draw the histograms to a PNG. Raises InputError where ``out`` is no place for one."""
    if not out.lower().endswith(".png"):
        raise InputError(f"{out}: the histograms are a PNG; give a name that ends in .png")
    picture = BytesIO()
    draw(statistics, picture)
    write_file(out, picture.getvalue())


def draw(statistics: ShardStatistics, file: Path | BinaryIO) -> None:
    """Paint the histograms as a PNG that is WIDTH pixels wide."""
    tables, charts = _tables(statistics), statistics.measured > 0
    top = MARGIN + TITLE + SUBTITLE + 72
    tables_top = top + (HEADING_SPACE + PLOT_HEIGHT + TICK_SPACE + GAP if charts else 0)
    tables_height = sum(HEADING_SPACE + ROW * len(rows) for rows in tables.values()) + ROW * (len(tables) - 1)
    heat_height = HEADING_SPACE + COLUMN if charts else 0
    image = Image.new("RGB", (WIDTH, tables_top + max(tables_height, heat_height) + MARGIN), PAPER)
    canvas = ImageDraw.Draw(image)
    canvas.text((MARGIN, MARGIN), "Statistics of the shards", INK, font(TITLE), anchor="lt")
    canvas.text((MARGIN, MARGIN + TITLE + 14), headline(statistics), QUIET, font(SUBTITLE), anchor="lt")
    right = MARGIN + COLUMN + GAP
    if charts:
        _paint_areas(canvas, MARGIN, top, statistics.areas)
        _paint_contrasts(canvas, right, top, statistics.contrasts)
        _paint_heat(canvas, MARGIN, tables_top, statistics.positions)
    _paint_tables(canvas, right if charts else MARGIN, tables_top, tables)
    data = drawn(image)
    if isinstance(file, Path):
        file.write_bytes(data)
    else:
        file.write(data)


def _tables(statistics: ShardStatistics) -> dict[str, dict[str, int]]:
    rejected = {
        f"{method}: {reason}": count
        for method, reasons in statistics.rejected.items()
        for reason, count in reasons.items()
    }
    tables = {
        "outcomes": statistics.outcomes,
        "methods": statistics.methods,
        "categories": statistics.categories,
        "rejected": rejected,
    }
    return {title: _most_frequent(counts) for title, counts in tables.items() if counts}


def _most_frequent(counts: Mapping[str, int]) -> dict[str, int]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = ordered[MOST_ROWS:]
    summed = {f"{len(rest)} others": sum(count for _, count in rest)} if rest else {}
    return dict(ordered[:MOST_ROWS]) | summed


def _area_labels() -> list[str]:
    percent = [f"{float(f'{100 * edge:.2g}'):g}" for edge in AREA_EDGES]
    return [f"{low} – {high} %" for low, high in pairwise(percent)]


def _contrast_labels() -> list[str]:
    return [f"{low:.0f} – {high:.0f}" for low, high in pairwise(CONTRAST_EDGES)]


def _trimmed(labels: list[str], bins: list[int]) -> dict[str, int]:
    """The bins from the first to the last that is not empty."""
    filled = [position for position, count in enumerate(bins) if count]
    used = slice(filled[0], filled[-1] + 1)
    return dict(zip(labels[used], bins[used], strict=True))


def _text_bars(counts: Mapping[str, int]) -> list[str]:
    labels = max(map(len, counts))
    numbers = max(len(f"{count:,}") for count in counts.values())
    total, most = sum(counts.values()), max(counts.values())
    return [
        f"  {name:>{labels}}  {count:>{numbers},} {count / total:6.1%} {_text_bar(count / most)}".rstrip()
        for name, count in counts.items()
    ]


def _text_bar(share: float) -> str:
    whole, eighth = divmod(round(share * BAR_COLUMNS * 8), 8)
    return EIGHTHS[8] * whole + EIGHTHS[eighth].strip()


def _text_grid(positions: list[list[int]]) -> list[str]:
    most = max(map(max, positions))
    numbers = len(str(most))
    steps = len(SHADES) - 1
    return [
        "  " + " ".join(f"{SHADES[-(-count * steps // most)] * 2}{count:>{numbers}}" for count in row)
        for row in positions
    ]


def _paint_areas(canvas: ImageDraw.ImageDraw, left: int, top: int, bins: list[int]) -> None:
    first, last = _filled(bins, 4)
    ticks = {edge - first: f"{100 * AREA_EDGES[edge]:.4g} %" for edge in range(first, last + 1, 4)}
    _paint_columns(canvas, (left, top), "Area, share of the image", bins[first:last], ticks)


def _paint_contrasts(canvas: ImageDraw.ImageDraw, left: int, top: int, bins: list[int]) -> None:
    _, last = _filled(bins, 4)
    ticks = {edge: str(edge * CONTRAST_STEP) for edge in range(0, last + 1, 4)}
    _paint_columns(canvas, (left, top), "Contrast, grey levels", bins[:last], ticks)


def _filled(bins: list[int], step: int) -> tuple[int, int]:
    """The first and the last edge of the bins in use, rounded outwards to a multiple of ``step``."""
    filled = [position for position, count in enumerate(bins) if count]
    return filled[0] // step * step, -(-(filled[-1] + 1) // step) * step


def _paint_columns(
    canvas: ImageDraw.ImageDraw, corner: tuple[int, int], title: str, bins: list[int], ticks: dict[int, str]
) -> None:
    left, top = corner
    canvas.text((left, top), title, INK, font(HEADING), anchor="lt")
    canvas.text((left + COLUMN, top + 4), f"largest bin {max(bins):,}", QUIET, font(LABEL), anchor="rt")
    ceiling, floor = top + HEADING_SPACE, top + HEADING_SPACE + PLOT_HEIGHT
    canvas.rectangle((left, ceiling, left + COLUMN, floor), PANEL)
    width = COLUMN / len(bins)
    for position, count in enumerate(bins):
        height = round((PLOT_HEIGHT - 12) * count / max(bins))
        if count:
            x = left + position * width
            canvas.rectangle((x + 2, floor - max(height, 2), x + width - 2, floor), BLUE)
    canvas.line((left, floor, left + COLUMN, floor), QUIET, 2)
    for edge, label in ticks.items():
        x = left + edge * width
        anchor = "lt" if edge == 0 else "rt" if edge == len(bins) else "mt"
        canvas.line((x, floor, x, floor + 8), QUIET, 2)
        canvas.text((x, floor + 16), label, QUIET, font(LABEL), anchor=anchor)


def _paint_heat(canvas: ImageDraw.ImageDraw, left: int, top: int, positions: list[list[int]]) -> None:
    canvas.text((left, top), "Position of the box's centre", INK, font(HEADING), anchor="lt")
    top += HEADING_SPACE
    side, most = COLUMN / GRID, max(map(max, positions))
    for row, counts in enumerate(positions):
        for column, count in enumerate(counts):
            share = count / most
            corner = (left + column * side, top + row * side)
            fill = _between(PANEL, BLUE, share)
            canvas.rectangle((*corner, corner[0] + side - 4, corner[1] + side - 4), fill)
            middle = (corner[0] + side / 2 - 2, corner[1] + side / 2 - 2)
            canvas.text(middle, f"{count:,}", PAPER if share > 0.5 else INK, font(LABEL), anchor="mm")


def _between(low: Colour, high: Colour, share: float) -> Colour:
    red, green, blue = np.rint(np.array(low) * (1 - share) + np.array(high) * share).astype(int).tolist()
    return red, green, blue


def _paint_tables(
    canvas: ImageDraw.ImageDraw, left: int, top: int, tables: dict[str, dict[str, int]]
) -> None:
    labels, numbers = COLUMN * 45 // 100, 170
    for title, counts in tables.items():
        canvas.text((left, top), title.capitalize(), INK, font(HEADING), anchor="lt")
        top += HEADING_SPACE
        total, most = sum(counts.values()), max(counts.values())
        for name, count in counts.items():
            middle = top + ROW / 2
            canvas.text((left, middle), _fitted(name, labels - 16), INK, font(LABEL), anchor="lm")
            start, room = left + labels, COLUMN - labels - numbers
            canvas.rectangle((start, top + 6, start + room, top + ROW - 6), PANEL)
            canvas.rectangle((start, top + 6, start + max(room * count / most, 2), top + ROW - 6), BLUE)
            canvas.text((left + COLUMN - 76, middle), f"{count:,}", QUIET, font(LABEL), anchor="rm")
            canvas.text((left + COLUMN, middle), f"{count / total:.1%}", QUIET, font(LABEL), anchor="rm")
            top += ROW
        canvas.line((left, top + ROW / 2 - 2, left + COLUMN, top + ROW / 2 - 2), FRAME)
        top += ROW


def _fitted(name: str, width: int) -> str:
    """The name, cut where it would be wider than ``width`` pixels."""
    if font(LABEL).getlength(name) <= width:
        return name
    while name and font(LABEL).getlength(name + "...") > width:
        name = name[:-1]
    return name + "..."
