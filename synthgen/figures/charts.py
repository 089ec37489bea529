"""Charts as PNG and SVG: the same shapes, painted by Pillow or written as XML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from synthgen.figures.sheet import FRAME, INK, PANEL, PAPER, QUIET, font
from synthgen.figures.tiles import Colour
from synthgen.images.own import drawn

Point = tuple[float, float]

WIDTH, HEIGHT = 760, 600
LEFT, TOP, RIGHT, BOTTOM = 80, 104, 724, 528
"""The plot's edges."""
TITLE, TEXT = 24, 15
TICKS = 5
LEGEND_ROW = 24
SCALE = 2
"""Pixels of the PNG for each unit of the chart."""


class Line(NamedTuple):
    """A line through points."""

    points: list[Point]
    colour: Colour
    width: float


class Box(NamedTuple):
    """A filled rectangle."""

    left: float
    top: float
    right: float
    bottom: float
    colour: Colour


class Text(NamedTuple):
    """Text whose middle, start or end stands at a place, on its baseline."""

    text: str
    place: Point
    colour: Colour
    size: int
    anchor: str
    """start, middle or end."""


Shape = Line | Box | Text

BLUE: Colour = (37, 99, 235)
ORANGE: Colour = (217, 119, 6)
ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, x ascending, (N,) each."""

    label: str
    colour: Colour
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bars:
    """The heights of a histogram's bins, (B,)."""

    label: str
    colour: Colour
    heights: npt.NDArray[np.float64]


def curve_chart(title: str, x_label: str, y_label: str, curves: Sequence[Curve]) -> list[Shape]:
    """Curves in the unit square."""
    shapes = _frame(title, x_label, y_label, (0.0, 1.0), 1.0)
    for curve in curves:
        points = [_place(x, y) for x, y in zip(curve.x.tolist(), curve.y.tolist(), strict=True)]
        shapes.append(Line(points, curve.colour, 2.5))
    return shapes + _legend([(curve.label, curve.colour) for curve in curves])


def histogram_chart(
    title: str, x_label: str, bounds: tuple[float, float], bars: Sequence[Bars]
) -> list[Shape]:
    """Histograms with the same bins between the bounds, beside each other in each bin; heights are shares."""
    most = max(float(each.heights.max()) for each in bars) or 1.0
    shapes = _frame(title, x_label, "share of the images", bounds, most)
    for number, each in enumerate(bars):
        width = 1 / len(each.heights)
        for position, height in enumerate(each.heights.tolist()):
            if height:
                start = (position + (0.1 + 0.8 * number / len(bars))) * width
                left, top = _place(start, height / most)
                right, bottom = _place(start + 0.8 * width / len(bars), 0)
                shapes.append(Box(left, top, right, bottom, each.colour))
    return shapes + _legend([(each.label, each.colour) for each in bars])


def svg(shapes: Sequence[Shape]) -> bytes:
    """The shapes as an SVG document."""
    body = "\n".join(map(_element, shapes))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
    return f"{head}\n{_element(Box(0, 0, WIDTH, HEIGHT, PAPER))}\n{body}\n</svg>\n".encode()


def png(shapes: Sequence[Shape]) -> bytes:
    """The shapes as a PNG of 1520 x 1200 pixels."""
    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), PAPER)
    draw = ImageDraw.Draw(image)
    for shape in shapes:
        match shape:
            case Line(points, colour, width):
                scaled = [(x * SCALE, y * SCALE) for x, y in points]
                draw.line(scaled, colour, round(width * SCALE), joint="curve")
            case Box(left, top, right, bottom, colour):
                draw.rectangle([edge * SCALE for edge in (left, top, right, bottom)], colour)
            case Text(text, (x, y), colour, size, anchor):
                place = (x * SCALE, y * SCALE)
                draw.text(place, text, colour, font(size * SCALE), anchor=ANCHORS[anchor])
    return drawn(image)


def _frame(
    title: str, x_label: str, y_label: str, x_bounds: tuple[float, float], y_most: float
) -> list[Shape]:
    """Title, plot, grid, ticks and labels."""
    shapes: list[Shape] = [
        Text(title, (LEFT, 44), INK, TITLE, "start"),
        Box(LEFT, TOP, RIGHT, BOTTOM, PANEL),
    ]
    for tick in range(TICKS + 1):
        share = tick / TICKS
        x, y = _place(share, share)
        shapes.append(Line([(x, TOP), (x, BOTTOM)], FRAME, 1))
        shapes.append(Line([(LEFT, y), (RIGHT, y)], FRAME, 1))
        x_value = x_bounds[0] + share * (x_bounds[1] - x_bounds[0])
        shapes.append(Text(f"{x_value:.3g}", (x, BOTTOM + 24), QUIET, TEXT, "middle"))
        shapes.append(Text(f"{share * y_most:.2g}", (LEFT - 10, y + 5), QUIET, TEXT, "end"))
    shapes.append(Text(x_label, ((LEFT + RIGHT) / 2, BOTTOM + 54), INK, TEXT, "middle"))
    shapes.append(Text(y_label, (LEFT, TOP - 14), INK, TEXT, "start"))
    return shapes


def _legend(entries: Sequence[tuple[str, Colour]]) -> list[Shape]:
    """What each colour is, at the right above the plot."""
    shapes: list[Shape] = []
    for number, (label, colour) in enumerate(entries):
        y = TOP - 14 - LEGEND_ROW * (len(entries) - 1 - number)
        shapes.append(Text(label, (RIGHT - 26, y), INK, TEXT, "end"))
        shapes.append(Box(RIGHT - 18, y - 11, RIGHT, y - 1, colour))
    return shapes


def _place(x: float, y: float) -> Point:
    """Where a point of the unit square lies in the plot."""
    return LEFT + x * (RIGHT - LEFT), BOTTOM - y * (BOTTOM - TOP)


def _element(shape: Shape) -> str:
    match shape:
        case Line(points, colour, width):
            path = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
            return f'<polyline points="{path}" fill="none" stroke="{_hex(colour)}" stroke-width="{width}"/>'
        case Box(left, top, right, bottom, colour):
            size = f'width="{right - left:.2f}" height="{bottom - top:.2f}"'
            return f'<rect x="{left:.2f}" y="{top:.2f}" {size} fill="{_hex(colour)}"/>'
        case Text(text, (x, y), colour, size_, anchor):
            style = f'font-size="{size_}" fill="{_hex(colour)}" text-anchor="{anchor}"'
            return f'<text x="{x:.2f}" y="{y:.2f}" {style}>{escape(text)}</text>'


def _hex(colour: Colour) -> str:
    red, green, blue = colour
    return f"#{red:02x}{green:02x}{blue:02x}"
