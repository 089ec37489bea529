"""Histograms of a directory's statistics: as text for a terminal, and as a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from synthgen.drawing import Colour
from synthgen.layout import FRAME, INK, MARGIN, PANEL, PAPER, QUIET, SUBTITLE, TITLE, font
from synthgen.shards.statistics import AREA_EDGES, CONTRAST_EDGES, GRID, ShardStatistics

BAR_COLUMNS = 44
EIGHTHS = " ▏▎▍▌▋▊▉█"
SHADES = " ·░▒▓█"

BAR: Colour = (37, 99, 235)
WIDTH = 1600
GAP = 64
COLUMN = (WIDTH - 2 * MARGIN - GAP) // 2
HEADING = 26
LABEL = 20
TICK = 18
CHART_HEIGHT = 400
PLOT_TOP = 56
ROW = 40


def text(statistics: ShardStatistics) -> str:
    """Outcomes, methods, categories, rejections, areas, contrasts and positions, for a terminal."""
    parts = [_headline(statistics)]
    for title, counts in _counts(statistics).items():
        parts.append("\n".join([title, *_bars(counts)]))
    if statistics.measured:
        parts.append("\n".join(["area, share of the image", *_bars(_area_bins(statistics))]))
        parts.append("\n".join(["contrast, grey levels", *_bars(_contrast_bins(statistics))]))
        parts.append("\n".join(["position of the box's centre", *_grid(statistics.positions)]))
    return "\n\n".join(parts)


def draw(statistics: ShardStatistics, path: Path) -> None:
    """Paint the histograms as a PNG of WIDTH pixels."""
    counts = _counts(statistics)
    lists = [_Rows(title, rows) for title, rows in counts.items()]
    left, right = lists[::2], lists[1::2]
    lists_height = max(sum(rows.height for rows in column) for column in (left, right))
    top = MARGIN + TITLE + SUBTITLE + 60
    height = top + (2 * CHART_HEIGHT + 2 * GAP if statistics.measured else 0) + lists_height + MARGIN
    image = Image.new("RGB", (WIDTH, height), PAPER)
    canvas = ImageDraw.Draw(image)
    canvas.text((MARGIN, MARGIN), "Shard statistics", INK, font(TITLE), anchor="lt")
    canvas.text((MARGIN, MARGIN + TITLE + 14), _headline(statistics), QUIET, font(SUBTITLE), anchor="lt")
    second = MARGIN + COLUMN + GAP
    if statistics.measured:
        area_ticks = {index: f"{AREA_EDGES[index]:.3%}".rstrip("0").rstrip(".%") + "%" for index in range(0, 21, 4)}
        contrast_ticks = {index: str(CONTRAST_EDGES[index]) for index in range(0, 33, 8)}
        _columns(canvas, MARGIN, top, "Area, share of the image", statistics.areas, area_ticks)
        _columns(canvas, second, top, "Contrast, grey levels", statistics.contrasts, contrast_ticks)
        top += CHART_HEIGHT + GAP
        _heat(image, canvas, MARGIN, top, statistics.positions)
    # The first lists stand beside the heat map, the rest below.
    for x, column in ((second, lists),) if statistics.measured else ((MARGIN, left), (second, right)):
        y = top
        for rows in column:
            y = rows.paint(canvas, x, y)
    image.save(path)
