"""How a page calls things and writes numbers."""

from collections.abc import Sequence
from typing import Literal

from synthgen.validation.report import (
    OUTCOMES,
    Claim,
    Comparison,
    Outcome,
    Role,
    Row,
    ValidationReport,
    Value,
)
from synthgen.validation.statistics import SAME

Measure = Outcome | Literal["transfer"]
Property = Literal["strength", "area", "contrast"]

NONE = "–"
"""What a cell without a value shows."""
MINUS = "−"
ROLES: dict[Role, str] = {
    "recipe": "Recipes",
    "reference": "References",
    "control": "Control",
}
"""The roles in the order of the tables."""
MEANINGS: dict[Measure, str] = {
    "image_auroc": "how often a defective product scores above a good one; 0.5 is guessing, 1 is perfect.",
    "pixel_ap": "how well the marked pixels agree with the defects, over all thresholds; 1 is perfect, "
    "guessing gives the share of defective pixels.",
    "aupro": "how much of each defect is marked while up to 30 % of the good pixels are, too; 1 is perfect.",
    "aupimo": "how much of each defect is marked while next to nothing is on good products; 1 is perfect.",
    "recall": "share of the defective products that are found while {rate} of the good ones raise a false "
    "alarm.",
    "transfer": "mean image AUROC on what the other recipes made of held-out good products; it needs no real "
    "defects, and does not replace them.",
}
PROPERTIES: dict[Property, tuple[int, str]] = {
    "strength": (1, "strength"),
    "area": (100, "area, %"),
    "contrast": (1, "contrast, grey"),
}
"""What samples are sorted by: factor and label, in % of the image and in grey levels."""
CLAIMS: dict[Claim, str] = {
    "better": "better",
    "worse": "worse",
    "indistinguishable": "cannot be told apart",
    "not shown": "not shown",
}
CLAIMS_EXPLAINED = (
    "Better and worse: chance alone seldom makes such a difference. Cannot be told apart: they differ by "
    f"{SAME} at most, which does not matter. Not shown: products and seeds were too few to tell."
)


def called(measure: Measure) -> str:
    """What readers call an outcome."""
    return "transfer" if measure == "transfer" else OUTCOMES[measure]


def meaning(measure: Measure, report: ValidationReport) -> str:
    """What a number of an outcome means, in half a sentence."""
    return MEANINGS[measure].format(rate=share(report.false_alarms))


def measured(row: Row, measure: Measure) -> Value | None:
    """What was measured of a row."""
    return row.transfer if measure == "transfer" else row.real.get(measure)


def primary(report: ValidationReport) -> Measure:
    """What the rows are ordered by: the first real outcome that there is, else transfer."""
    return next(
        (outcome for outcome in OUTCOMES if any(outcome in row.real for row in report.rows)), "transfer"
    )


def ranked(report: ValidationReport) -> list[Row]:
    """The rows by role, the report's learner before others, the best first."""
    measure, roles = primary(report), list(ROLES)

    def place(row: Row) -> tuple[int, bool, float]:
        value = measured(row, measure)
        other_learner = row.role == "recipe" and row.learner != report.learner
        return roles.index(row.role), other_learner, -value.value if value else 1.0

    return sorted(report.rows, key=place)


def learners(report: ValidationReport) -> list[str]:
    """The detectors that learn from recipes, the report's own first."""
    return list(dict.fromkeys(row.learner for row in ranked(report) if row.role == "recipe"))


def label(row: Row, report: ValidationReport) -> str:
    """A row's name, with its learner where that tells it from others."""
    several = sum(other.name == row.name for other in report.rows) > 1
    return f"{row.name} · {row.learner}" if several else row.name


def number(value: float, digits: int = 2) -> str:
    """A number with a true minus sign, which is never that of zero."""
    rounded = f"{value:.{digits}f}"
    return rounded.replace("-", MINUS) if float(rounded) else rounded.removeprefix("-")


def signed(value: float) -> str:
    """A difference, with its sign."""
    return ("+" if round(value, 3) > 0 else "") + number(value, 3)


def interval(value: Value) -> str:
    """A value with its interval, such as 0.98 (0.95–1.00)."""
    dash = "–" if value.low >= 0 else " to "
    return f"{number(value.value)} ({number(value.low)}{dash}{number(value.high)})"


def difference(comparison: Comparison) -> str:
    """A difference with its interval, such as +0.021 (+0.004 to +0.038)."""
    return f"{signed(comparison.difference)} ({signed(comparison.low)} to {signed(comparison.high)})"


def p_value(p: float) -> str:
    """A p-value; what is too small for three digits as such."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def share(value: float) -> str:
    """A share as percent, to two digits at most where it is small."""
    return f"{100 * value:.0f} %" if value >= 0.1 else f"{100 * value:.2g} %"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def memory(size: int) -> str:
    """Bytes as people say them."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def counted(count: int, one: str, more: str = "") -> str:
    """A number of things."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def joined(names: Sequence[str], last: str = "and") -> str:
    """Names as a sentence lists them."""
    return f" {last} ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
