"""A tuned recipe: what was found, in words, as a file that says how it came about, and as a curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING

from synthgen.config.document import one_line
from synthgen.evaluation.conformal import Threshold, percent
from synthgen.recipe.files import dump_recipe
from synthgen.recipe.recipe import Recipe
from synthgen.validation.tuned_search import Trial, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from synthgen.sources.records import RejectedFile

LABELS = {"delta": "opacity delta", "s": "strength s", "area": "area, share of the image"}
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
INK, SOFT, ACCENT = "#1f2937", "#6b7280", "#2563eb"
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "synthgen",
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "text.color": INK,
}


@dataclass(frozen=True)
class Tuned:
    """A recipe whose defects a detector finds about as often as was asked for."""

    recipe: Recipe
    target: float
    """The share of the defects that was to be found."""
    name: str
    """What was moved: ``delta``, ``s``, ``area``, or ``delta and s``."""
    before: float
    """The middle of its range in the recipe as it was, on average over the methods by their weights."""
    chosen: Trial
    """The trial that the recipe is of, with its recall and interval."""
    curve: tuple[Trial, ...]
    """All strengths that were tried and can be generated, ascending."""
    threshold: Threshold
    detector: str
    """The method, and its backbone where it has one."""
    product: str
    """The name of the normal images' category."""
    fitted_on: int
    """Normal images that the detector was fitted on; the samples are made of others."""
    rejected: "Sequence[RejectedFile]"
    """The source's files that could not be used."""
    notes: Sequence[str]
    """What a person should know, a sentence each."""

    def __str__(self) -> str:
        """One line for people."""
        low, high = self.chosen.interval
        return (
            f"{self.name} {self.chosen.value:.3g} (it was {self.before:.3g}): {self.detector} finds "
            f"{whole(self.chosen.recall)} ({whole(low)} to {whole(high)}) of {len(self.chosen.images)} "
            f"defects at {percent(self.threshold.false_alarms)} false alarms"
        )


def recipe_text(tuned: Tuned, picture: str) -> str:
    """The recipe as YAML that `load_recipe` reads, behind comments; ``picture`` is the curve's file name."""
    sentences = [
        f"Tuned so that {whole(tuned.target)} of the defects are found: {tuned}.",
        f"The detector was fitted on {tuned.fitted_on} normal images of {tuned.product}, and the defects "
        f"were made of {tuned.threshold.images} others; the curve is in {picture}.",
        *(f"Note: {note}." for note in tuned.notes),
    ]
    lines = [f"# {line}" for each in sentences for line in wrap(one_line(each), 98)]
    return "\n".join([*lines, dump_recipe(tuned.recipe)])


def curve_svg(tuned: Tuned) -> bytes:
    """The share that is found against what was moved, with 95 % intervals, as an SVG document."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot()
        _draw(axes, tuned)
        written = BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue()


def _draw(axes: "Axes", tuned: Tuned) -> None:
    values = [trial.value for trial in tuned.curve]
    recalls = [trial.recall for trial in tuned.curve]
    below = [trial.recall - trial.interval[0] for trial in tuned.curve]
    above = [trial.interval[1] - trial.recall for trial in tuned.curve]
    axes.axhline(tuned.target, color=SOFT, linestyle="--", linewidth=1)
    axes.errorbar(values, recalls, [below, above], color=ACCENT, marker="o", linewidth=1.5, capsize=3)
    axes.plot([tuned.chosen.value], [tuned.chosen.recall], "o", color=INK, markersize=9, zorder=3)
    axes.annotate(
        f"{tuned.chosen.value:.3g}",
        (tuned.chosen.value, tuned.chosen.recall),
        (8, -14),
        textcoords="offset points",
    )
    _scale(axes, values)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel(LABELS.get(tuned.name, tuned.name) + " (middle of the range)")
    axes.set_ylabel(f"share found at {percent(tuned.threshold.false_alarms)} false alarms")
    axes.set_title(one_line(f"{tuned.recipe.name}, {tuned.detector}"), loc="left")


def _scale(axes: "Axes", values: Sequence[float]) -> None:
    """A logarithmic axis with a tick on either side of all values, and numbers as people write them."""
    low = max((tick for tick in TICKS if tick <= min(values)), default=min(values))
    high = min((tick for tick in TICKS if tick >= max(values)), default=max(values))
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(low * 0.93, high * 1.07)
