"""The tables of a report: rows, comparisons, and the transfer matrix."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from synthgen.validation.entrants import Entrant
from synthgen.validation.measures import Measurements
from synthgen.validation.protocol import LEARNER
from synthgen.validation.report import Comparison, Outcome, Row, Transfer, Value
from synthgen.validation.statistics import Measured, comparisons, estimate

LEAST_OF_A_KIND = 3
"""Fewer images of a defect type, or of a size, say nothing."""
SIZES = ("small", "middle", "large")


def rows(measurements: Measurements) -> list[Row]:
    """One row for each entrant."""
    return [_row(measurements, entrant) for entrant in measurements.entrants]


def _row(measurements: Measurements, entrant: Entrant) -> Row:
    return Row(
        name=entrant.name,
        role=entrant.role,
        learner=entrant.learner,
        seeds=measurements.seeds,
        real={outcome: estimate(found) for outcome, found in measurements.on_real(entrant).items()},
        defect_types=_defect_types(measurements, entrant),
        defect_sizes=_defect_sizes(measurements, entrant),
        transfer=None if entrant.role == "control" else estimate(measurements.transfer(entrant)),
        seconds=float(np.mean([cell.seconds for cell in measurements.of(entrant)])),
    )


def _defect_types(measurements: Measurements, entrant: Entrant) -> dict[str, Value]:
    if measurements.real is None:
        return {}
    types = np.array(measurements.real.defect_types)
    found = {}
    for name in map(str, np.unique(types[measurements.real.anomalous])):
        of_type = (types == name) & measurements.real.anomalous
        if of_type.sum() >= LEAST_OF_A_KIND:
            found[name] = estimate(measurements.on_real_kind(entrant, name, of_type))
    return found


def _defect_sizes(measurements: Measurements, entrant: Entrant) -> dict[str, Value]:
    real = measurements.real
    if real is None:
        return {}
    areas = real.masks.mean((1, 2))
    known = real.anomalous & real.labelled & (areas > 0)
    if known.sum() < len(SIZES) * LEAST_OF_A_KIND:
        return {}
    low, high = np.quantile(areas[known], [1 / 3, 2 / 3])
    thirds = (areas <= low, (areas > low) & (areas <= high), areas > high)
    names = (f"small (to {low:.1%} of the image)", f"middle (to {high:.1%})", f"large (over {high:.1%})")
    return {
        name: estimate(measurements.on_real_kind(entrant, size, known & third))
        for name, size, third in zip(names, SIZES, thirds, strict=True)
        if (known & third).sum() >= LEAST_OF_A_KIND
    }


def measured_by(measurements: Measurements, outcome: Outcome | None) -> dict[Entrant, Measured]:
    """An outcome on the real images of all entrants that have it; None stands for the transfer."""
    found: dict[Entrant, Measured] = {}
    for entrant in measurements.entrants:
        measured = (
            measurements.transfer(entrant) if outcome is None else measurements.on_real(entrant).get(outcome)
        )
        if measured is not None and entrant.role != "control":
            found[entrant] = measured
    return found


def outcomes_compared(measurements: Measurements) -> list[Outcome | None]:
    """What recipes are compared by, the primary first; None stands for the transfer."""
    if measurements.real is None:
        return [None]
    has_pixels = "pixel_ap" in measurements.on_real(measurements.learned[0])
    return ["image_auroc", "pixel_ap"] if has_pixels else ["image_auroc"]


def gains(measurements: Measurements) -> list[Comparison]:
    """Each recipe against the better of the references that no synthesized image was needed for."""
    found: list[Comparison] = []
    for outcome in outcomes_compared(measurements):
        measured = measured_by(measurements, outcome)
        unlearned = {each: measured[each] for each in measurements.unlearned if each in measured}
        best = max(unlearned, key=lambda each: float(unlearned[each].values.mean()))
        named = _named(measured, [best, *measurements.learned])
        pairs = [(each.name, best.name) for each in measurements.learned if each in measured]
        found += comparisons(named, pairs, LEARNER, outcome or "transfer")
    return found


def pairs(measurements: Measurements) -> list[Comparison]:
    """Each two recipes with each learner."""
    found: list[Comparison] = []
    for outcome in outcomes_compared(measurements):
        measured = measured_by(measurements, outcome)
        learners = dict.fromkeys(each.learner for each in measurements.entrants if each.recipe)
        for learner in learners:
            taking_part = [each for each in measured if each.recipe and each.learner == learner]
            two = [(first.name, second.name) for first, second in combinations(taking_part, 2)]
            if two:
                found += comparisons(_named(measured, taking_part), two, learner, outcome or "transfer")
    return found


def transfer(measurements: Measurements) -> Transfer:
    """All recipes, learned from and judged on."""
    recipes = measurements.learned
    names = [each.name for each in recipes]
    return Transfer(
        learned=names,
        judged=names,
        image_auroc=[
            [float(measurements.on_samples(each, name).values.mean()) for name in names] for each in recipes
        ],
        pixel_ap=[[_pixel_ap(measurements, each, name) for name in names] for each in recipes],
    )


def _pixel_ap(measurements: Measurements, entrant: Entrant, recipe: str) -> float:
    values = [cell.judged[recipe].pixel_ap for cell in measurements.of(entrant)]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else 0.0


def _named(measured: Mapping[Entrant, Measured], chosen: Sequence[Entrant]) -> dict[str, Measured]:
    return {each.name: measured[each] for each in chosen if each in measured}
