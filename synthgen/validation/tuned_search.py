"""The search for the strength at which a share of the defects is found: bisection, and what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

from synthgen.engines.run import MAX_REJECTED_SHARE
from synthgen.evaluation.recall import effective_number, wilson

TOLERANCE = 0.02
"""How far from the share that is asked for a recall may lie."""
TRIALS = 8


@dataclass(frozen=True)
class Trial:
    """What was found of the samples of one strength."""

    factor: float
    """What the recipe's ranges were multiplied by."""
    value: float
    """The middle of the ranges, as `TunedField.value` says."""
    found: int
    images: tuple[str, ...]
    """Of each sample that shows a defect the normal image that it is made of, as its sha256."""
    rejected: int
    """Samples without a defect that can be seen: no attempt passed the judge."""

    @property
    def recall(self) -> float:
        """The share that is found of the samples that show a defect; 0 where none does."""
        return self.found / len(self.images) if self.images else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Of 95 %, as if all samples of an image were found or missed together (`evaluation.recall`)."""
        return wilson(self.recall, effective_number(self.images)) if self.images else (0.0, 1.0)

    @property
    def usable(self) -> bool:
        """Whether so few are rejected that the recipe can be generated."""
        return self.rejected <= MAX_REJECTED_SHARE * (len(self.images) + self.rejected)

    def is_at(self, target: float) -> bool:
        """Whether about the share is found that was asked for."""
        return self.usable and abs(self.recall - target) <= TOLERANCE

    def is_far_from(self, target: float) -> bool:
        """Whether more samples of this strength would hardly bring the recall to the target."""
        low, high = wilson(self.recall, len(self.images)) if self.images else (0.0, 1.0)
        return low > target + TOLERANCE or high < target - TOLERANCE


def search(try_at: Callable[[float], Trial], target: float, factors: tuple[float, float]) -> list[Trial]:
    """Bisect the factors (least, most) for the one at which the share ``target`` is found.

    The recipe as it stands (factor 1) is tried first, full strength only where that is too weak; then the
    geometric middle of what remains, until the recall is within ± 0.02 or 8 strengths were tried. Recall is
    taken to grow with the factor, and a strength at which more than 1 % of the samples are rejected is too
    weak. Gives the trials in their order.
    """
    least, most = factors
    trials = [try_at(1.0)]
    low, high = least, 1.0
    if _too_weak(trials[0], target) and not trials[0].is_at(target):
        if most == 1:
            return trials
        trials.append(try_at(most))
        low, high = 1.0, most
        if _too_weak(trials[1], target):
            return trials
    while not trials[-1].is_at(target) and len(trials) < TRIALS:
        trials.append(try_at(sqrt(low * high)))
        if _too_weak(trials[-1], target):
            low = trials[-1].factor
        else:
            high = trials[-1].factor
    return trials


def nearest(trials: Sequence[Trial], target: float) -> Trial | None:
    """The trial whose recall is nearest to the target, of those that can be generated; None without one.

    Of equals it is the one on the way to the target: the weakest where more is found, else the strongest.
    """

    def off(trial: Trial) -> tuple[float, float]:
        too_strong = trial.recall > target
        return abs(trial.recall - target), trial.factor if too_strong else -trial.factor

    return min((each for each in trials if each.usable), key=off, default=None)


def missed(trials: Sequence[Trial], chosen: Trial, target: float, name: str) -> str:
    """Why the chosen trial is not at the target, in a sentence; empty where it is. ``name``: of the field."""
    if chosen.is_at(target):
        return ""
    usable = [each for each in trials if each.usable]
    if all(each.recall < target for each in usable):
        full = max(usable, key=lambda each: each.factor)
        return (
            f"no strength was found at which {whole(target)} are found: at the most that there is ({name} "
            f"{full.value:.3g}) it is {whole(full.recall)}; the recipe has the strength that came nearest"
        )
    if all(each.recall > target for each in usable):
        return (
            f"even the weakest defects that were tried and can be seen ({name} {chosen.value:.3g}) are found "
            f"more often than in {whole(target)}, which is what the recipe has; smaller or other defects are "
            "harder to find"
        )
    return f"no strength came nearer to {whole(target)} than this in {len(trials)} trials"


def whole(share: float) -> str:
    """A share as people read it, without decimals, such as ``80 %``."""
    return f"{100 * share:.0f} %"


def _too_weak(trial: Trial, target: float) -> bool:
    return not trial.usable or trial.recall < target
