"""The plots of a page, as SVG that stands in HTML: text stays text, colours are those of the page."""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import TYPE_CHECKING, Any

from synthgen.validation.page import words
from synthgen.validation.report import Detectability, Row, ValidationReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 324.0
"""Units, which are CSS pixels on a narrow phone; larger screens show the plots larger."""
TEXT, SMALL = 10.5, 9.5
ROW, FOOT, HEAD, LONGEST = 29.0, 34.0, 18.0, 34
INK, SOFT, LINE, ACCENT, GROUND = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05"
"""Placeholders: the page's style sheet decides which colours these are, light or dark."""
VARIABLES = {INK: "--ink", SOFT: "--soft", LINE: "--line", ACCENT: "--accent", GROUND: "--ground"}
RECIPE: dict[str, Any] = {"marker": "o", "color": ACCENT, "markerfacecolor": ACCENT}
REFERENCE: dict[str, Any] = {"marker": "s", "color": SOFT, "markerfacecolor": GROUND}
DETECTORS: tuple[dict[str, Any], ...] = (
    {"marker": "o", "linestyle": "-", "color": ACCENT, "markerfacecolor": ACCENT},
    {"marker": "s", "linestyle": "--", "color": INK, "markerfacecolor": GROUND},
    {"marker": "^", "linestyle": ":", "color": SOFT, "markerfacecolor": SOFT},
    {"marker": "D", "linestyle": "-.", "color": SOFT, "markerfacecolor": GROUND},
)
"""How the detectors' lines differ, also without colour."""
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "synthgen",
    "text.parse_math": False,
    "text.color": INK,
    "font.size": SMALL,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.color": LINE,
    "ytick.labelcolor": SOFT,
    "legend.frameon": False,
    "legend.labelcolor": SOFT,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
}


def forest(report: ValidationReport) -> str:
    """The primary outcome of recipes and references with its interval, in the order of the table.

    The control is left out: it guesses, and the others would stand close together.
    """
    measure = words.primary(report)
    rows = [row for row in words.ranked(report) if row.role != "control"]
    found = [(row, value) for row in rows if (value := words.measured(row, measure))]
    height = HEAD + ROW * len(found) + FOOT
    with _look():
        figure = _sized(height)
        axes = figure.add_axes((0.01, FOOT / height, 0.98, 1 - (HEAD + FOOT) / height))
        axes.set_ylim(ROW * len(found), 0)  # a unit of y is one of the plot
        for position, (row, value) in enumerate(found):
            top = ROW * position
            look = RECIPE if row.role == "recipe" else REFERENCE
            axes.plot([value.low, value.high], [top + 20] * 2, color=look["color"], solid_capstyle="butt")
            axes.plot([value.value], [top + 20], linestyle="none", **look)
            across: dict[str, Any] = {
                "transform": axes.get_yaxis_transform(),
                "fontsize": TEXT,
                "va": "baseline",
            }
            axes.text(0, top + 12, _titled(row, report), ha="left", **across)
            axes.text(1, top + 12, words.interval(value), ha="right", color=SOFT, **across)
        _across(axes, words.called(measure))
        line = marked(report)
        for row, value in found:
            if row is line:
                _reference_line(axes, row.name, value.value)
        axes.spines["left"].set_visible(False)
        axes.set_yticks([])
        return _svg(figure, "forest")


def _titled(row: Row, report: ValidationReport) -> str:
    return _shortened(words.label(row, report)) + ("" if row.role == "recipe" else " (reference)")


def _across(axes: "Axes", label: str) -> None:
    """The horizontal axis of an outcome from 0 to 1, with light lines behind the points."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    low, high = axes.get_xlim()
    edge = 0.04 * (high - low)  # where a number would leave the plot
    places = [place for place in MaxNLocator(5).tick_values(low, high) if low + edge < place < high - edge]
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.set_xlim(low, high)
    axes.set_xlabel(label, fontsize=SMALL)
    axes.grid(axis="x", zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)


def marked(report: ValidationReport) -> Row | None:
    """The reference that the gains are measured against, else the best one."""
    references = [row for row in words.ranked(report) if row.role == "reference"]
    against = {gain.second for gain in report.gains if gain.outcome == words.primary(report)}
    return next((row for row in references if row.name in against), references[0] if references else None)


def _reference_line(axes: "Axes", name: str, place: float) -> None:
    """A line at a reference."""
    low, high = axes.get_xlim()
    axes.axvline(place, color=SOFT, linestyle=(0, (3, 3)), linewidth=1, zorder=0.9)
    side = "right" if place > (low + high) / 2 else "left"
    axes.text(place, -6, _shortened(name), ha=side, va="baseline", fontsize=SMALL, color=SOFT)


def recall(found: Sequence[Detectability], name: str) -> str:
    """What detectors find of one recipe's defects, against strength, area and contrast.

    ``name`` tells this plot from the others of the page. Samples of a bin stand at its middle.
    """
    kinds = [kind for kind in words.PROPERTIES if any(each.by.get(kind) for each in found)]
    height, head = 128.0, 22.0
    with _look():
        figure = _sized(height)
        for position, kind in enumerate(kinds):
            width = (WIDTH - 26) / len(kinds)
            left = 24 + width * position
            axes = figure.add_axes(
                (left / WIDTH, FOOT / height, (width - 12) / WIDTH, 1 - (FOOT + head) / height)
            )
            factor, label = words.PROPERTIES[kind]
            for look, each in zip(cycle(DETECTORS), found):
                bins = each.by.get(kind, [])
                middles = [factor * (one.low + one.high) / 2 for one in bins]
                axes.plot(middles, [one.recall for one in bins], label=each.detector, clip_on=False, **look)
            axes.set(ylim=(0, 1), yticks=(0, 0.5, 1), yticklabels=("0", "", "1") if position == 0 else ())
            bins = [one for each in found for one in each.by.get(kind, [])]
            _ends(axes, [factor * edge for one in bins for edge in (one.low, one.high)])
            axes.set_xlabel(label, fontsize=SMALL)
            axes.grid(axis="y")
            axes.tick_params(length=0)
        axes.figure.legend(
            *figure.axes[0].get_legend_handles_labels(),
            loc="upper left",
            ncols=4,
            borderpad=0,
            fontsize=SMALL,
        )
        return _svg(figure, name)


def _ends(axes: "Axes", edges: Sequence[float]) -> None:
    """A horizontal axis from the lowest edge to the highest, which alone are named."""
    low, high = min(edges), max(edges)
    axes.set(xlim=(low, high), xticks=(low, high), xticklabels=(_edge(low), _edge(high)))
    first, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")


def agreeing(report: ValidationReport) -> list[Row]:
    """The recipes with transfer and a real outcome, as the report's learner learned them, the best first."""
    return [
        row
        for row in words.ranked(report)
        if row.role == "recipe"
        and row.learner == report.learner
        and row.transfer
        and row.real.get("image_auroc")
    ]


def agreement(report: ValidationReport) -> str:
    """The recipes' transfer against their real image AUROC, each by its number in ``agreeing``."""
    height = 220.0
    with _look():
        figure = _sized(height)
        axes = figure.add_axes((44 / WIDTH, FOOT / height, 1 - 60 / WIDTH, 1 - (FOOT + 12) / height))
        for position, row in enumerate(agreeing(report), 1):
            assert row.transfer
            place = (row.transfer.value, row.real["image_auroc"].value)
            axes.plot(*place, "o", color=ACCENT)
            axes.annotate(str(position), place, (5, 3), textcoords="offset points", fontsize=TEXT)
        axes.margins(0.12)
        axes.locator_params(nbins=5)
        axes.set_xlabel("transfer", fontsize=SMALL)
        axes.set_ylabel("image AUROC, real defects", fontsize=SMALL)
        axes.grid()
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        return _svg(figure, "agreement")


@contextmanager
def _look() -> Iterator[None]:
    """While a plot is drawn and written: the page's look, whatever the user's own matplotlib settings."""
    from matplotlib import style

    with style.context(["default", STYLE]), warnings.catch_warnings():
        # The browser draws the text, and has other fonts.
        warnings.filterwarnings("ignore", message="Glyph")
        yield


def _sized(height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH / 72, height / 72))


def _svg(figure: "Figure", name: str) -> str:
    """The figure as it may stand in HTML; its ids begin with a name that no other plot of the page has."""
    written = io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(written, format="svg", transparent=True, metadata=nothing)
    svg = written.getvalue().decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<svg[^>]*?(viewBox=\"[^\"]*\")[^>]*>", r'<svg \1 aria-hidden="true">', svg, count=1)
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", lambda tag: _of_the_page(tag[0], name), svg)


def _of_the_page(tag: str, name: str) -> str:
    """A tag with the page's fonts and colours, and with ids of its own."""
    tag = re.sub(r" font-family: [^;\"]*;?", "", tag)
    tag = tag.replace(' id="', f' id="{name}-').replace(' xlink:href="#', f' href="#{name}-')
    tag = tag.replace("url(#", f"url(#{name}-")
    for placeholder, variable in VARIABLES.items():
        tag = tag.replace(placeholder, f"var({variable}, currentColor)")
    return tag


def _shortened(name: str) -> str:
    """A name in one line, without its middle where it is too long."""
    plain = " ".join("".join(one if one.isprintable() else " " for one in name).split())
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 15]}…{plain[-14:]}"


def _edge(value: float) -> str:
    """Two digits, and no power of ten for a large number."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
