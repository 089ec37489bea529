"""The answer in words: which recipe to train on, how sure that is, and what would have to be collected."""

from collections.abc import Sequence
from math import ceil
from typing import Literal

from synthgen.validation.protocol import LEARNER, SECOND_LEARNER
from synthgen.validation.report import OUTCOMES, Abnormal, Comparison, Outcome, Row, SetFacts, Value

Measure = Outcome | Literal["transfer"]
WANTED = 0.02
"""A difference that matters to most who ask."""
MANY = 0.1
"""Share of a recipe's defects that look like good products from which the summary names it."""
TO_COLLECT = 40
"""Real defects that a first comparison takes: they show differences of about .1."""


def recommendation(
    product: str, rows: Sequence[Row], pairs: Sequence[Comparison], gains: Sequence[Comparison]
) -> list[str]:
    """Sentences, the most important one first."""
    outcomes = list(dict.fromkeys(each.outcome for each in pairs))
    by_learner = [each for each in pairs if each.learner == LEARNER]
    deciding = next((each for each in outcomes if _decides(each, by_learner)), outcomes[0])
    found = []
    if deciding != outcomes[0]:
        found.append(
            f"By {_called(outcomes[0])} no recipe is shown to be better than another on {product}, so what "
            f"follows is by {_called(deciding)}."
        )
    lead = _lead(product, rows, by_learner, deciding)
    found = [lead[0], *found, *lead[1:], *_among_the_best(rows, by_learner, deciding, outcomes)]
    found += _gain(rows, gains, deciding)
    found += _other_learner(rows, pairs, deciding)
    return found


def not_abnormal(sets: Sequence[SetFacts], real: Abnormal | None) -> list[str]:
    """Which recipes' defects often look like good products, and how many of the real ones do.

    One sentence; none where no recipe's do.
    """
    found = [
        f"{each.recipe} {each.abnormal.look_normal:.0%}{_by_kind(each.abnormal)}"
        for each in sorted(sets, key=lambda each: -each.abnormal.look_normal)
        if each.abnormal.look_normal >= MANY
    ]
    if not found:
        return []
    return [
        "Changed is not always abnormal: some defects look like good products to the network, and their "
        f"labels are doubtful: {'; '.join(found)}"
        + (f" (of the real defects: {real.look_normal:.0%})." if real else ".")
    ]


def _by_kind(abnormal: Abnormal) -> str:
    worst = max(abnormal.by_kind, key=lambda name: abnormal.by_kind[name], default=None)
    return f" (most of all its {worst}: {abnormal.by_kind[worst]:.0%})" if worst else ""


def not_tested(
    rows: Sequence[Row], pairs: Sequence[Comparison], real: tuple[int, int], seeds: int
) -> list[str]:
    """What the numbers do not say, and what would decide; ``real``: normal and anomalous test images."""
    found = []
    if not any(real):
        found.append(
            "No real defect was looked at: this says which recipe teaches most about what the other recipes "
            "make, and that need not be the one that is best on real defects. Collect about "
            f"{TO_COLLECT} real defects and as many good pictures, and give them by --real."
        )
    else:
        primary = [each for each in pairs if each.learner == LEARNER and each.outcome == pairs[0].outcome]
        typical = sorted(each.detectable for each in primary)[len(primary) // 2] if primary else 0.0
        if typical > WANTED:
            more = (typical / WANTED) ** 2
            found.append(
                f"With {real[0]} good and {real[1]} defective test images, differences below about "
                f"{typical:.2f} in {_called(pairs[0].outcome)} go unseen; to show {WANTED} would take about "
                f"{ceil(real[0] * more / 10) * 10} and {ceil(real[1] * more / 10) * 10}"
                + (", or more seeds." if seeds < 5 else ".")
            )
    if seeds == 1:
        found.append(
            "Every detector was fitted once: how much another seed would change is not known and not in the "
            "intervals; --seeds 3 tells."
        )
    if not any(row.learner == SECOND_LEARNER for row in rows):
        found.append(
            f"Only one learner, the {LEARNER}, was asked; another may prefer another recipe (--budget full "
            f"asks {SECOND_LEARNER}, too)."
        )
    return found


def _decides(outcome: Measure, pairs: Sequence[Comparison]) -> bool:
    """Whether some recipe is shown to be better than another."""
    return any(each.outcome == outcome and each.claim in ("better", "worse") for each in pairs)


def _lead(product: str, rows: Sequence[Row], pairs: Sequence[Comparison], outcome: Measure) -> list[str]:
    learned = [row for row in rows if row.learner == LEARNER and _is_recipe(row, pairs)]
    ranked = sorted(learned, key=lambda row: -_value(row, outcome).value)
    best = ranked[0]
    versus = [_oriented(pairs, best.name, row.name, outcome) for row in ranked[1:]]
    alike = [each for each in versus if each.claim == "indistinguishable"]
    open_ones = [each for each in versus if each.claim in ("not shown", "worse")]
    worse = [each for each in versus if each.claim == "better"]
    reached = f"{_called(outcome)} {_shown(_value(best, outcome))}"
    found = []
    if alike:
        names = _either([best.name, *(each.second for each in alike)])
        they = "they cannot be told apart" if len(alike) == 1 else "they cannot be told apart from the first"
        how_near = _list(alike) if len(alike) == 1 else f"differences of at most {_largest(alike):.3f}"
        found.append(f"For {product} train on {names}: {they} ({how_near}); {reached}.")
    elif not open_ones:
        found.append(
            f"For {product} train on {best.name}: it is better than every other recipe ({reached}; next "
            f"{versus[0].second}, {_difference(versus[0])})."
        )
        worse = worse[1:]
    elif worse:
        found.append(
            f"For {product} train on {best.name}, or on one of those that are not shown to be worse "
            f"({reached})."
        )
    else:
        found.append(
            f"No recipe is shown to be better than another on {product}; {best.name} is ahead ({reached})."
        )
    if open_ones:
        found.append(
            f"{best.name} is ahead of {_and([each.second for each in open_ones])}, but is not shown to be "
            f"better ({_list(open_ones)})."
        )
    if worse:
        found.append(
            f"Worse than {best.name}: {'; '.join(f'{each.second} by {_difference(each)}' for each in worse)}."
        )
    return found


def _among_the_best(
    rows: Sequence[Row], pairs: Sequence[Comparison], deciding: Measure, outcomes: Sequence[Measure]
) -> list[str]:
    """What the next outcome says of the recipes that the deciding one does not tell from the best."""
    later = outcomes[list(outcomes).index(deciding) + 1 :]
    learned = [row for row in rows if row.learner == LEARNER and _is_recipe(row, pairs)]
    best = max(learned, key=lambda row: _value(row, deciding).value)
    level = [
        row
        for row in learned
        if row is best or _oriented(pairs, best.name, row.name, deciding).claim != "better"
    ]
    if not later or len(level) < 2:
        return []
    ranked = sorted(level, key=lambda row: -_value(row, later[0]).value)
    worse = [
        each
        for row in ranked[1:]
        if (each := _oriented(pairs, ranked[0].name, row.name, later[0])).claim == "better"
    ]
    if not worse:
        return [f"By {_called(later[0])} none of them is shown to be better than another, either."]
    beaten = "; ".join(f"{each.second}, by {_difference(each)}" for each in worse)
    return [
        f"By {_called(later[0])} {ranked[0].name} is the best of them "
        f"({_shown(_value(ranked[0], later[0]))}) and better than {beaten}."
    ]


def _gain(rows: Sequence[Row], gains: Sequence[Comparison], outcome: Measure) -> list[str]:
    compared = [each for each in gains if each.outcome == outcome]
    better = [each for each in compared if each.claim == "better"]
    if not compared:
        return []
    reference = compared[0].second
    row = next(row for row in rows if row.name == reference)
    value = _shown(_value(row, outcome))
    if not better:
        best = max(compared, key=lambda each: each.difference)
        return [
            f"No recipe is shown to be better than {reference}, which needs no synthesized images ({value}); "
            f"the best, {best.first}, differs by {_difference(best)}."
        ]
    names = _and([each.first for each in sorted(better, key=lambda each: -each.difference)])
    best = max(better, key=lambda each: each.difference)
    return [
        f"Better than {reference}, which needs no synthesized images ({value}): {names}"
        f" ({best.first} by {_difference(best)})."
    ]


def _other_learner(rows: Sequence[Row], pairs: Sequence[Comparison], outcome: Measure) -> list[str]:
    """Whether the second learner comes to another conclusion."""
    others = [each for each in pairs if each.learner == SECOND_LEARNER and each.outcome == outcome]
    if not others:
        return []
    first = {
        (each.first, each.second): each
        for each in pairs
        if each.learner == LEARNER and each.outcome == outcome
    }
    opposed = [
        each for each in others if {each.claim, first[each.first, each.second].claim} == {"better", "worse"}
    ]
    learned = [row for row in rows if row.learner == SECOND_LEARNER]
    best = max(learned, key=lambda row: _value(row, outcome).value)
    words = f"{SECOND_LEARNER} learns best from {best.name} ({_shown(_value(best, outcome))})"
    if not opposed:
        return [f"{words}; no difference that one learner shows is turned round by the other."]
    return [
        f"{words}. The learners disagree about "
        + "; ".join(f"{each.first} and {each.second}" for each in opposed)
        + ": choose with the one that you use."
    ]


def _is_recipe(row: Row, pairs: Sequence[Comparison]) -> bool:
    return any(row.name in (each.first, each.second) for each in pairs)


def _value(row: Row, outcome: Measure) -> Value:
    value = row.transfer if outcome == "transfer" else row.real[outcome]
    assert value is not None
    return value


def _oriented(pairs: Sequence[Comparison], first: str, second: str, outcome: Measure) -> Comparison:
    """The comparison of two recipes, the first of them first."""
    for each in pairs:
        if each.outcome != outcome or {each.first, each.second} != {first, second}:
            continue
        if each.first == first:
            return each
        turned = {"better": "worse", "worse": "better"}.get(each.claim, each.claim)
        return each.model_copy(
            update={
                "first": first,
                "second": second,
                "difference": -each.difference,
                "low": -each.high,
                "high": -each.low,
                "claim": turned,
            }
        )
    raise AssertionError(f"{first} and {second} were not compared")


def _called(outcome: Measure) -> str:
    return "image AUROC on the other recipes' samples" if outcome == "transfer" else OUTCOMES[outcome]


def _shown(value: Value) -> str:
    return f"{value.value:.3f}, interval {value.low:.3f} to {value.high:.3f}"


def _difference(each: Comparison) -> str:
    return f"{_signed(each.difference)} (interval {_signed(each.low)} to {_signed(each.high)})"


def _list(each: Sequence[Comparison]) -> str:
    if len(each) == 1:
        one = each[0]
        return f"difference {one.difference:.3f}, interval {_signed(one.low)} to {_signed(one.high)}"
    return "; ".join(f"{one.second}: {_difference(one)}" for one in each)


def _largest(each: Sequence[Comparison]) -> float:
    return max(max(abs(one.low), abs(one.high)) for one in each)


def _signed(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def _either(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
