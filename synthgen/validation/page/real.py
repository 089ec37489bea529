"""What the page says about real defects: by type and size, and whether one could have chosen without them."""

from functools import partial

from synthgen.validation.page import plots, words
from synthgen.validation.page.content import Cell, Column, Group, Part, Plot, Plots, Section, Table, Terms
from synthgen.validation.report import Prediction, ValidationReport, Value


def defects(report: ValidationReport) -> Section | None:
    """Image AUROC by the type and by the size of the real defects."""
    parts: list[Part] = []
    for what, found in (
        ("type", {id(row): row.defect_types for row in report.rows}),
        ("size", {id(row): row.defect_sizes for row in report.rows}),
    ):
        names = list(dict.fromkeys(name for values in found.values() for name in values))
        if names:
            rows = [
                [Cell(words.label(row, report)), *(_heated(found[id(row)].get(name)) for name in names)]
                for row in words.ranked(report)
                if found[id(row)]
            ]
            columns = [Column("name"), *map(Column, names)]
            parts.append(Table(f"Image AUROC by defect {what}", columns, [Group("", rows)]))
    if not parts:
        return None
    return Section(
        "Real defects by type and size",
        "Image AUROC of each kind of real defect against all good products: the stronger the colour, the "
        "better; 0.5 is guessing. Small, middle and large are thirds of the defects by their masks' areas.",
        parts,
    )


def _heated(value: Value | None) -> Cell:
    return (
        Cell(words.NONE) if value is None else Cell(words.interval(value), heat=max(0.0, 2 * value.value - 1))
    )


def predictions(report: ValidationReport) -> Section | None:
    """Whether one could have chosen without real defects."""
    if not report.predictions:
        return None
    columns = [
        Column("chosen by"),
        Column("agreement"),
        Column("would choose", words=True),
        Column("best", words=True),
        Column("loses"),
    ]
    terms = [
        (
            "agreement",
            "Kendall's tau of the two orders: 1 is the same order, 0 none in common, −1 the reverse.",
        ),
        (
            "loses",
            "how much of the outcome on the real defects the choice costs, compared with the best.",
        ),
    ]
    table = Table(
        "Choosing without real defects", columns, [Group("", list(map(_prediction, report.predictions)))]
    )
    parts: list[Part] = [table, Terms(terms)]
    if len(plots.agreeing(report)) > 1:
        names = [f"{position} {row.name}" for position, row in enumerate(plots.agreeing(report), 1)]
        caption = f"Transfer against the real outcome, a number for each recipe: {', '.join(names)}."
        alternative = "The columns transfer and image AUROC of the results as points, one for each recipe."
        parts.append(Plots([Plot(caption, alternative, partial(plots.agreement, report))]))
    return Section(
        "Could one have chosen without real defects?",
        "How well what needs no real defects would have predicted which recipe is best on them.",
        parts,
    )


def _prediction(found: Prediction) -> list[Cell]:
    agreement = (
        Cell(words.NONE, "fewer than 6 recipes")
        if found.kendall is None
        else Cell(words.interval(found.kendall))
    )
    return [
        Cell(found.by),
        agreement,
        Cell(found.chosen),
        Cell(found.best),
        Cell(words.number(found.regret, 3)),
    ]
