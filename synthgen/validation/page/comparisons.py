"""What the page says of differences: recipes against references, and against each other."""

from collections.abc import Mapping, Sequence

from synthgen.validation.page import words
from synthgen.validation.page.content import (
    Cell,
    Column,
    Group,
    Items,
    Paragraphs,
    Part,
    Section,
    Table,
    Terms,
)
from synthgen.validation.report import Claim, Comparison, ValidationReport

Known = Mapping[frozenset[str], Comparison]
"""Comparisons by the two names."""

SHORT: dict[Claim, str] = {**words.CLAIMS, "indistinguishable": "alike"}
"""Claims as they fit into a narrow cell."""
TURNED: dict[Claim, Claim] = {"better": "worse", "worse": "better"}
"""What a claim about the first says of the second, where that is another one."""
TESTS = (
    (
        "p",
        "how likely chance alone makes a difference as large, adjusted for the number of comparisons (Holm).",
    ),
    ("detectable", "the smallest true difference that such a test, alone, shows in 4 of 5 cases."),
)


def gains(report: ValidationReport) -> Section | None:
    """Each recipe against the better reference."""
    if not report.gains:
        return None
    return Section(
        "Gain over learning without synthesized defects",
        f"How much higher the {_measures(report.gains)} of a recipe is than that of the better reference. "
        f"{words.CLAIMS_EXPLAINED}",
        [_table("Each recipe against the better reference", report, report.gains), Terms(TESTS)],
    )


def pairs(report: ValidationReport) -> Section | None:
    """Which recipes are better than which."""
    if not report.pairs:
        return None
    parts: list[Part] = []
    grouped = _grouped(report, report.pairs)
    for title, within in grouped.items():
        names = _by_rank(report, within)
        known = {frozenset((each.first, each.second)): each for each in within}
        if len(grouped) > 1:
            parts.append(Paragraphs([f"{title[0].upper()}{title[1:]}:"]))
        parts += [Items(_sentences(names, known)), _matrix(title, names, known)]
    parts.append(_table("All comparisons with their numbers", report, report.pairs, folded=True))
    says = f"Differences of the {_measures(report.pairs)}, on the same images and with the same seeds."
    if not report.gains:
        parts.append(Terms(TESTS))
        says += f" {words.CLAIMS_EXPLAINED}"
    return Section("Recipe against recipe", says, parts)


def _measures(comparisons: Sequence[Comparison]) -> str:
    return words.joined(list(dict.fromkeys(words.called(each.outcome) for each in comparisons)))


def _grouped(report: ValidationReport, comparisons: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """Comparisons of one outcome and learner together, by what they are of."""
    several = len(words.learners(report)) > 1
    grouped: dict[str, list[Comparison]] = {}
    for each in comparisons:
        title = words.called(each.outcome) + (f", learned by {each.learner}" if several else "")
        grouped.setdefault(title, []).append(each)
    return grouped


def _by_rank(report: ValidationReport, comparisons: Sequence[Comparison]) -> list[str]:
    """The names that are compared, the best first."""
    compared = {name for each in comparisons for name in (each.first, each.second)}
    learner = comparisons[0].learner
    names = [row.name for row in words.ranked(report) if row.learner == learner and row.name in compared]
    return list(dict.fromkeys([*names, *sorted(compared)]))


def _sentences(names: Sequence[str], known: Known) -> list[str]:
    """All claims in words, grouped by the better of the two names."""

    def others(name: str, claim: Claim, among: Sequence[str]) -> str:
        found = [other for other in among if _claim(name, other, known) == claim]
        return words.joined(found) if found else ""

    sentences = [
        f"{name} is better than {worse}." for name in names if (worse := others(name, "better", names))
    ]
    openings: dict[Claim, str] = {
        "indistinguishable": "Cannot be told apart",
        "not shown": "Not shown either way",
    }
    for claim, opening in openings.items():
        found = [
            f"{name} from {rest}" if claim == "indistinguishable" else f"{name} against {rest}"
            for position, name in enumerate(names)
            if (rest := others(name, claim, names[position + 1 :]))
        ]
        if found:
            sentences.append(f"{opening}: {'; '.join(found)}.")
    return sentences


def _claim(name: str, other: str, known: Known) -> Claim | None:
    """What is claimed of ``name``, compared with the other one; None where they were not compared."""
    found = known.get(frozenset((name, other)))
    if found is None:
        return None
    return found.claim if found.first == name else TURNED.get(found.claim, found.claim)


def _matrix(title: str, names: Sequence[str], known: Known) -> Table:
    """A triangle: the recipe of the row, compared with those before it."""

    def cell(row: str, column: str) -> Cell:
        claim, found = _claim(row, column, known), known.get(frozenset((row, column)))
        if claim is None or found is None:
            return Cell(words.NONE)
        difference = found.difference if found.first == row else -found.difference
        return Cell(SHORT[claim], words.signed(difference))

    rows = [
        [Cell(row), *(cell(row, column) for column in names[:position])]
        + [Cell("")] * (len(names) - 1 - position)
        for position, row in enumerate(names)
        if position
    ]
    columns = [Column("row against column"), *map(Column, names[:-1])]
    label = f"What the recipe of the row is, compared with that of the column: {title}"
    return Table(label, columns, [Group("", rows)])


def _table(
    label: str, report: ValidationReport, comparisons: Sequence[Comparison], folded: bool = False
) -> Table:
    columns = [
        Column("name"),
        Column("against", words=True),
        Column("claim", words=True),
        Column("difference"),
        Column("p"),
        Column("detectable"),
    ]
    groups = [
        Group(title, list(map(_numbers, within))) for title, within in _grouped(report, comparisons).items()
    ]
    return Table(label, columns, groups, folded)


def _numbers(found: Comparison) -> list[Cell]:
    return [
        Cell(found.first),
        Cell(found.second),
        Cell(words.CLAIMS[found.claim]),
        Cell(words.difference(found)),
        Cell(words.p_value(found.p)),
        Cell(words.number(found.detectable, 3)),
    ]
