"""The protocol of a validation: what is fixed, so that the recipe is the only difference."""

from dataclasses import dataclass
from typing import Literal

from synthgen.recipe.judge import JudgeRules
from synthgen.recipe.recipe import Recipe

PROTOCOL_VERSION = 1
"""Changes with everything that would change a cell's numbers."""

BudgetName = Literal["quick", "standard", "full"]

IMAGE_SIZE = 256
HELD_OUT = 0.25
"""Share of the normal images, by part, that no detector is fitted on."""
LEAST_NORMALS = 8
"""Fewer normal images leave nothing to hold out."""
LEAST_PARTS = 8
"""Of fewer pictures the tiles are split, and not the pictures."""
LEAST_CLUSTERS = 5
"""Of fewer held-out parts the images are resampled, and not the parts: what other parts would have changed
cannot be known."""
MOST_NORMALS = 1024
FALSE_ALARMS = 0.01
"""The rate that recall is wanted at; fewer than 99 held-out images support only a higher one."""
NORMAL_CELLS = 0.95
"""Share of a good product's cells that are within normal variation, whatever is beyond it."""
ABNORMAL_SHARE = 0.5
"""A defect of which less lies beyond normal variation looks like a good product."""
RECIPE_SEED = 0
"""Of every recipe, so that the same index takes the same normal image in all of them."""
JUDGED_SEED = 2**40
"""Of the samples to judge by; those to learn from have the learner's seed."""
LEARNER = "segmenter"
SECOND_LEARNER = "realnet"
CORESET = 0.01
"""PatchCore's, of the published 10 %, 1 % and 0.1 %: as good in practice, and affordable."""

REFERENCE_RECIPES = ("cutpaste", "perlin-texture")
"""Recipes that are compared in every validation, so that two validations have something in common."""
CONTROL = "nothing pasted"
CONTROL_RECIPE = "cutpaste"
"""Whose masks the control takes."""
NOISE = "feature noise"
UNTRAINED = "feature distance"


@dataclass(frozen=True)
class Budget:
    """How much work a validation is."""

    samples: int
    """Samples that a learner sees of its recipe."""
    steps: int
    """Its updates."""
    judged: int
    """Samples of every recipe that all detectors are judged on."""
    seeds: int
    second_learner: bool = False


BUDGETS: dict[BudgetName, Budget] = {
    "quick": Budget(samples=128, steps=80, judged=48, seeds=1),
    "standard": Budget(samples=512, steps=300, judged=192, seeds=3),
    "full": Budget(samples=512, steps=300, judged=192, seeds=5, second_learner=True),
}


def fixed(recipe: Recipe) -> Recipe:
    """A recipe with the seed that all are compared with."""
    return recipe.model_copy(update={"seed": RECIPE_SEED})


def control(recipe: Recipe) -> Recipe:
    """The recipe whose masks the control takes; that nothing can be seen there is what it is for."""
    return recipe.model_copy(update={"judge": JudgeRules(min_contrast=0.0), "seed": RECIPE_SEED})


def sentences(budget: Budget, seeds: int, side: int, false_alarms: float, parts: bool) -> list[str]:
    """The protocol as every report prints it."""
    unit = "part" if parts else "picture"
    return [
        f"The normal images are split by {unit}: {1 - HELD_OUT:.0%} are learned from, {HELD_OUT:.0%} are "
        "held out; those with the same pixels stay together.",
        "Samples to learn from are made of the first, samples to judge by of the second, and so are the "
        "pictures that a method borrows from.",
        "The real test images are looked at once, at the end: no step, threshold or setting is chosen by "
        "them.",
        f"Every recipe has the same normal images in the same order, {budget.samples} samples, "
        f"{budget.steps} updates with half normal images, and the seeds 0 to {seeds - 1}; the networks of "
        f"the last update are kept. Images are {side} x {side} pixels.",
        f"The learner is our {LEARNER}: a small head on frozen features"
        + (f"; every recipe is learned by {SECOND_LEARNER}, too." if budget.second_learner else "."),
        f"References that learn from no defects: PaDiM, PatchCore ({CORESET:.0%} coreset), the distance of "
        f"untrained features ({UNTRAINED}), and the {LEARNER} on noise in the features ({NOISE}).",
        f"The control ({CONTROL}) is the whole pipeline with a defect's pixels left as they were.",
        "Recall is the share of anomalous images above a threshold that the held-out normal images give "
        f"(split conformal): {false_alarms:.1%} false alarms on average.",
        f"A defect looks like a good product where less than {ABNORMAL_SHARE:.0%} of its mask lies in cells "
        f"(8 pixels) that are farther from the cells of good products than {NORMAL_CELLS:.0%} of those of "
        "held-out good products are.",
        "Intervals are of 95 %: 2,000 bootstrap resamples of the test images (by "
        f"{unit} where several are of one, good and bad apart), the same for all detectors, and on top the "
        "spread of the seeds by Student's t.",
        "Differences are paired by image and by seed, and adjusted by Holm over all comparisons of a table.",
        "Two recipes are indistinguishable where the interval of their difference lies within ± .01; where a "
        "difference is neither shown nor that small, it is called not shown.",
    ]
