"""What an evaluation found: a table for people, Markdown, and JSON."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pydantic import Field

from synthgen.config.model import FrozenModel
from synthgen.evaluation.defect_types import DefectType
from synthgen.evaluation.metrics.bootstrap import LEVEL, RESAMPLES, Estimate, Spread, spread
from synthgen.evaluation.metrics.summary import AUPRO_LIMIT
from synthgen.evaluation.protocol import Measured
from synthgen.storage.output import OutputDirectory, explained

REPORT_VERSION = 3

MASKS = (
    "the whole image is resized to the detector's size; a pixel of its mask is anomalous where at least half "
    "of its area is, and a mask that would vanish by that keeps the pixels with the largest share"
)


class Column(NamedTuple):
    """A column of the table: a metric, and what the readers call it."""

    level: str
    metric: str
    heading: str


COLUMNS = (
    Column("image", "auroc", "image AUROC"),
    Column("image", "average_precision", "image AP"),
    Column("image", "oracle_f1", "image F1-max (oracle)"),
    Column("pixel", "auroc", "pixel AUROC"),
    Column("pixel", "average_precision", "pixel AP"),
    Column("pixel", f"aupro_{AUPRO_LIMIT}", f"AUPRO {AUPRO_LIMIT}"),
    Column("pixel", "aupimo", "AUPIMO"),
)


class Value(FrozenModel):
    """A metric with its 95 % bootstrap interval over the test images."""

    value: float
    low: float
    high: float


class Levels(FrozenModel):
    """The metrics by name; null where the test set has nothing to measure it by."""

    image: dict[str, Value] | None
    pixel: dict[str, Value | None] | None


class Run(Levels):
    """What was measured with one seed."""

    seed: int | None
    """None for a detector that was fitted before."""
    defect_types: dict[str, DefectType] = Field({})
    """Each defect type on its own, by its name."""
    companions: dict[str, Levels] = Field({})
    """The method's simpler scores, by their names."""


class Category(FrozenModel):
    """What was measured in one category."""

    category: str
    fitted_on: int | None
    """Normal images; None for a detector that was fitted before."""
    normal: int
    """Normal images of the test set."""
    anomalous: int
    """Anomalous images of the test set."""
    notes: list[str]
    runs: list[Run]


class Report(FrozenModel):
    """A detector on a data set."""

    report_version: int = REPORT_VERSION
    dataset: str
    layout: str
    method: str
    backbone: str | None
    """None for a method with a network of its own."""
    weights: str
    recipe: str | None = None
    """Name of the recipe that made the anomalies; None for a method that learns from normal images alone."""
    settings: dict[str, object]
    image_size: int
    masks: str = MASKS
    versions: dict[str, str]
    categories: list[Category]


def run(
    seed: int | None,
    measured: Measured,
    defect_types: dict[str, DefectType],
    companions: Mapping[str, Measured] = MappingProxyType({}),
) -> Run:
    """The metrics of one seed as they are reported."""
    return Run.model_validate(
        {
            **_levels(measured),
            "seed": seed,
            "defect_types": defect_types,
            "companions": {name: _levels(each) for name, each in companions.items()},
        }
    )


def _levels(measured: Measured) -> dict[str, object]:
    def values(found: dict[str, Estimate] | dict[str, Estimate | None]) -> dict[str, Value | None]:
        return {
            name: Value(**estimate._asdict()) if estimate is not None else None
            for name, estimate in found.items()
        }

    return {
        "image": None if measured.image is None else values(measured.image),
        "pixel": None if measured.pixel is None else values(measured.pixel),
    }


def mean(report: Report, column: Column) -> Spread | None:
    """Each seed's mean over the categories, over the seeds; None where a category has no such value."""
    by_seed = zip(*(_values(category.runs, column) for category in report.categories), strict=True)
    means = []
    for values in by_seed:
        known = [value.value for value in values if value is not None]
        if len(known) < len(values):
            return None
        means.append(sum(known) / len(known))
    return spread(means)


def markdown_table(report: Report) -> str:
    """One row for each category and, below, each simpler score, and the categories' mean.

    A cell is a value with its deviation over seeds, or its interval.
    """
    rows = [["category", "images", *(column.heading for column in COLUMNS)]]
    for category in report.categories:
        counts = f"{category.normal} + {category.anomalous}"
        rows.append([_escaped(category.category), counts, *(_cell(category.runs, each) for each in COLUMNS)])
        for name in category.runs[0].companions:
            beside = [run.companions[name] for run in category.runs]
            rows.append([f"– {_escaped(name)}", "", *(_cell(beside, each) for each in COLUMNS)])
    if len(report.categories) > 1:
        rows.append(["**mean**", "", *(_shown(mean(report, column)) for column in COLUMNS)])
    return _table(rows)


def defect_types_table(report: Report) -> str:
    """One row for each defect type, against all normal images of its category: means over the seeds."""
    rows = [["category", "defect type", "images", "image AUROC", "pixel AUROC", f"AUPRO {AUPRO_LIMIT}"]]
    for category in report.categories:
        for name, first in category.runs[0].defect_types.items():
            found = [each.defect_types[name] for each in category.runs]
            values = (
                [each.image_auroc for each in found],
                [each.pixel_auroc for each in found],
                [each.aupro for each in found],
            )
            rows.append(
                [_escaped(category.category), _escaped(name), str(first.images), *map(_mean_cell, values)]
            )
    return _table(rows)


def markdown(report: Report) -> str:
    """The whole report."""
    seeds = [each.seed for each in report.categories[0].runs]
    if len(seeds) > 1:
        cells = f"mean ± standard deviation over the seeds {', '.join(map(str, seeds))}"
    else:
        cells = f"value [{LEVEL:.0%} interval of {RESAMPLES:,} bootstrap resamples of the test images]"
    facts = [
        f"- backbone {report.backbone or 'of its own'}, weights {report.weights}, "
        f"images {report.image_size} x {report.image_size}",
        *([f"- anomalies of the recipe {report.recipe}"] if report.recipe else []),
        f"- settings: {', '.join(f'{name} {value}' for name, value in report.settings.items()) or 'none'}",
        f"- cells: {cells}; images: normal + anomalous of the test set; –: nothing to measure it by",
        "- F1-max takes the best threshold with the labels, hence an oracle's; AUPRO is integrated up to a "
        f"false-positive rate of {AUPRO_LIMIT}",
        f"- masks: {report.masks}",
        f"- versions: {', '.join(f'{name} {version}' for name, version in report.versions.items())}",
    ]
    facts += [f"- {each.category}: {note}" for each in report.categories for note in each.notes]
    title = f"# {report.method} on {report.dataset} ({report.layout})"
    return "\n".join([title, "", markdown_table(report), "", defect_types_table(report), "", *facts, ""])


def write(report: Report, directory: OutputDirectory) -> None:
    """Write ``report.json`` and ``report.md``, each whole or not at all."""
    with explained(directory.url):
        directory.write("report.json", (report.model_dump_json(indent=2) + "\n").encode())
        directory.write("report.md", markdown(report).encode())


def _values(runs: Sequence[Levels], column: Column) -> list[Value | None]:
    """A column's value of each seed."""
    levels = [each.image if column.level == "image" else each.pixel for each in runs]
    return [None if level is None else level[column.metric] for level in levels]


def _cell(runs: Sequence[Levels], column: Column) -> str:
    known = [value for value in _values(runs, column) if value is not None]
    if len(known) < len(runs):
        return "–"
    if len(known) > 1:
        return _shown(spread([value.value for value in known]))
    return f"{known[0].value:.3f} [{known[0].low:.3f}, {known[0].high:.3f}]"


def _shown(found: Spread | None) -> str:
    if found is None:
        return "–"
    return f"{found.mean:.3f}" if found.deviation is None else f"{found.mean:.3f} ± {found.deviation:.3f}"


def _mean_cell(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return _shown(spread(known) if len(known) == len(values) else None)


def _escaped(name: str) -> str:
    return name.replace("|", "\\|")


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, of which the first is the heading, as Markdown."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths, str.ljust) for row in rows]
    return "\n".join([lines[0], _line(["-" * width for width in widths], widths, str.ljust), *lines[1:]])


def _line(cells: Sequence[str], widths: Sequence[int], pad: Callable[[str, int], str]) -> str:
    return f"| {' | '.join(pad(cell, width) for cell, width in zip(cells, widths, strict=True))} |"
