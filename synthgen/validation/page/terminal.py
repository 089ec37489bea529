"""What the terminal prints after a validation."""

from collections.abc import Sequence
from textwrap import fill

from synthgen.validation.page import words
from synthgen.validation.report import ValidationReport

COLUMNS = 80


def summary(report: ValidationReport) -> str:
    """The recommendation, the faults, and a small table of the rows, the best recipe first."""
    blocks = [_wrapped(sentence) for sentence in report.recommendation]
    blocks += [_wrapped(f"Warning: {each.subject}: {each.sentence}") for each in report.faults]
    if report.rows:
        blocks.append(_table(_cells(report)))
    return "\n\n".join(blocks)


def _cells(report: ValidationReport) -> list[list[str]]:
    """The heading, then a row each."""
    measures = [words.primary(report)]
    if "transfer" not in measures and any(row.transfer for row in report.rows):
        measures.append("transfer")
    rows = [["name", "learner", *map(words.called, measures)]]
    for row in words.ranked(report):
        found = [words.measured(row, measure) for measure in measures]
        name = row.name if row.role == "recipe" else f"{row.name} ({row.role})"
        values = [words.interval(value) if value else words.NONE for value in found]
        rows.append([_plain(name), _plain(row.learner), *values])
    return rows


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def _wrapped(text: str) -> str:
    return fill(_plain(text), COLUMNS, break_long_words=False, break_on_hyphens=False)


def _plain(text: str) -> str:
    """Text in one line without what would steer the terminal."""
    return "".join(one if one.isprintable() else " " for one in text)
