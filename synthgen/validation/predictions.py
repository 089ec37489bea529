"""How well what needs no real defects predicts what is best on the real ones."""

from collections.abc import Callable, Sequence

import numpy as np

from synthgen.validation.beyond_normal import BeyondNormal
from synthgen.validation.entrants import Entrant
from synthgen.validation.measures import Measurements
from synthgen.validation.report import OUTCOMES, Outcome, Prediction
from synthgen.validation.statistics import Measured, kendall
from synthgen.validation.tables import outcomes_compared


def predictions(measurements: Measurements, beyond: BeyondNormal) -> list[Prediction]:
    """For every outcome that recipes are compared by, what the synthetic samples alone would have chosen."""
    if measurements.real is None:
        return []
    found = []
    for outcome in outcomes_compared(measurements):
        assert outcome is not None
        of_recipes = measurements.learned
        for by, measure in (
            ("transfer", measurements.transfer),
            ("detectability by PatchCore", _detectability(measurements)),
            ("share beyond normal", beyond.measured),
        ):
            found.append(_prediction(measurements, by, of_recipes, measure, outcome))
        detectors = [*measurements.unlearned, *measurements.learned]
        found.append(
            _prediction(
                measurements,
                "all synthetic sets, choosing among detectors",
                [each for each in detectors if outcome in measurements.on_real(each)],
                measurements.transfer,
                outcome,
            )
        )
    return found


def _detectability(measurements: Measurements) -> Callable[[Entrant], Measured]:
    patchcore = next(each for each in measurements.unlearned if each.learner == "patchcore")
    return lambda entrant: measurements.on_samples(patchcore, entrant.name)


def _prediction(
    measurements: Measurements,
    by: str,
    items: Sequence[Entrant],
    predict: Callable[[Entrant], Measured],
    outcome: Outcome,
) -> Prediction:
    predicted = [predict(each) for each in items]
    real = [measurements.on_real(each)[outcome] for each in items]
    values = np.array([each.values.mean() for each in real])
    chosen = int(np.argmax([each.values.mean() for each in predicted]))
    best = int(values.argmax())
    return Prediction(
        by=f"{by}, for {OUTCOMES[outcome]}",
        kendall=kendall(predicted, real),
        chosen=items[chosen].name,
        best=items[best].name,
        regret=float(values[best] - values[chosen]),
    )
