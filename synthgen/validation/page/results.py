"""What the page says of each row: what it reaches, and how sure that is."""

from collections.abc import Sequence
from functools import partial

from synthgen.validation.page import plots, words
from synthgen.validation.page.content import Cell, Column, Group, Part, Plot, Plots, Section, Table, Terms
from synthgen.validation.report import OUTCOMES, Row, ValidationReport, Value


def results(report: ValidationReport) -> Section | None:
    """All rows with all that was measured of them."""
    if not report.rows:
        return None
    measures: list[words.Measure] = [
        each for each in OUTCOMES if any(each in row.real for row in report.rows)
    ]
    if any(row.transfer for row in report.rows):
        measures.append("transfer")
    columns = [
        Column("name and learner"),
        *(Column(words.called(each)) for each in measures),
        Column("time"),
    ]
    rows = words.ranked(report)
    groups = [
        Group(title, [_row(row, measures) for row in rows if row.role == role])
        for role, title in words.ROLES.items()
        if any(row.role == role for row in rows)
    ]
    parts: list[Part] = [Table("Results of recipes, references and control", columns, groups)]
    if measures:
        terms = Terms([(words.called(each), words.meaning(each, report)) for each in measures])
        parts += [terms, _forest(report)]
    where = "on the real test images" if any(row.real for row in rows) else "without real defects"
    allows = "allows for other products of the same kind"
    if report.seeds > 1:
        allows += " and for other seeds"
    return Section(
        "Results",
        f"What each detector reaches {where}, the best recipe first. In brackets: the 95 % interval, which "
        f"{allows}.",
        parts,
    )


def _row(row: Row, measures: Sequence[words.Measure]) -> list[Cell]:
    values = [_value(words.measured(row, each)) for each in measures]
    time = Cell(words.duration(row.seconds), words.counted(row.seeds, "seed"))
    return [Cell(row.name, row.learner), *values, time]


def _value(value: Value | None) -> Cell:
    if value is None:
        return Cell(words.NONE)
    spread = "" if value.of_seeds is None else f"seeds ±{words.number(value.of_seeds, 3)}"
    return Cell(words.interval(value), spread)


def _forest(report: ValidationReport) -> Plots:
    measure = words.called(words.primary(report))
    caption = f"{measure[0].upper()}{measure[1:]} with 95 % intervals."
    line = plots.marked(report)
    if line:
        caption += f" Filled: recipes; hollow: references; the broken line stands at {line.name}."
    if report.gains or report.pairs:
        caption += " Overlapping intervals do not settle which is better; the comparisons below do."
    alternative = f"The column {measure} of the table as points with their intervals, in the same order."
    return Plots([Plot(caption, alternative, partial(plots.forest, report))])


def uncertainty(report: ValidationReport) -> Section | None:
    """The two sources of error of the primary outcome, apart."""
    measure = words.primary(report)
    found = [(row, value) for row in words.ranked(report) if (value := words.measured(row, measure))]
    if not found:
        return None
    rows = [
        [
            Cell(words.label(row, report)),
            Cell(f"±{words.number(value.of_images, 3)}"),
            Cell(words.NONE if value.of_seeds is None else f"±{words.number(value.of_seeds, 3)}"),
        ]
        for row, value in found
    ]
    columns = [Column("name"), Column("other images"), Column("another seed")]
    label = "Standard error from the test images, and deviation over the seeds"
    one = " With one seed, what another would change is unknown." if report.seeds == 1 else ""
    return Section(
        "Where the uncertainty comes from",
        f"How much the {words.called(measure)} would typically move with other test images, and with another "
        f"seed. Where the first is greater, more images would help; where the second is, more seeds.{one}",
        [Table(label, columns, [Group("", rows)])],
    )
