"""Two reports beside each other."""

from math import sqrt
from pathlib import Path

from synthgen.errors import InputError
from synthgen.validation.report import OUTCOMES, Row, ValidationReport, Value
from synthgen.validation.write import read_report

QUANTILE = 1.96
"""Of a normal distribution, for an interval of 95 %."""


def compare(first: str | Path, second: str | Path) -> str:
    """What two validations say of the rows that they have in common, as Markdown.

    Their images and seeds may differ, so that differences are not paired: the interval adds up both errors.
    Raises InputError where a report cannot be read, or where they have no row in common.
    """
    one, other = read_report(first), read_report(second)
    rows = {(row.name, row.learner): row for row in one.rows}
    common = [(rows[key], row) for row in other.rows if (key := (row.name, row.learner)) in rows]
    lines = [line for pair in common for line in _lines(*pair)]
    if not lines:
        raise InputError(
            f"{first} and {second}: have no recipe and outcome in common; nothing can be compared"
        )
    return "\n".join(
        [
            f"first: {first}, {_described(one)}",
            f"second: {second}, {_described(other)}",
            "",
            "| name | learner | outcome | first | second | second less first |",
            "|---|---|---|---:|---:|---:|",
            *lines,
        ]
    )


def _described(report: ValidationReport) -> str:
    return f"{report.product}, {report.budget}, {report.seeds} seeds, {report.settings.get('backbone', '')}"


def _lines(first: Row, second: Row) -> list[str]:
    measured: list[tuple[str, Value, Value]] = [
        (OUTCOMES[outcome], first.real[outcome], second.real[outcome])
        for outcome in OUTCOMES
        if outcome in first.real and outcome in second.real
    ]
    if first.transfer and second.transfer:
        measured.append(("transfer", first.transfer, second.transfer))
    return [
        f"| {first.name} | {first.learner} | {outcome} | {one.value:.3f} | {other.value:.3f} | "
        f"{_difference(one, other, first.seeds, second.seeds)} |"
        for outcome, one, other in measured
    ]


def _difference(first: Value, second: Value, first_seeds: int, second_seeds: int) -> str:
    squares = [
        value.of_images**2 + (value.of_seeds or 0.0) ** 2 / seeds
        for value, seeds in ((first, first_seeds), (second, second_seeds))
    ]
    difference, half = second.value - first.value, QUANTILE * sqrt(sum(squares))
    return f"{difference:+.3f} ({difference - half:+.3f} to {difference + half:+.3f})".replace("-", "−")
