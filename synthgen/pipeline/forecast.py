"""What a recipe would make, measured on a few of its samples."""

from itertools import islice

from synthgen.pipeline.freeze import freeze
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.describe import describe
from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.progress import Stages, silent
from synthgen.shards.encode import encode
from synthgen.shards.tar import BLOCK

SAMPLES_TO_MEASURE = 24


def forecast(recipe: Recipe | Plan, *, progress: Stages = silent) -> str:
    """The images, foreground, synthesizers, samples, shards and bytes of a recipe, a subject a line.

    Raises InputError where the images cannot be used.
    """
    plan = freeze(recipe, progress) if isinstance(recipe, Recipe) else recipe
    some = islice(Pipeline(plan).samples(range(plan.recipe.count)), SAMPLES_TO_MEASURE)
    sizes = [
        sum(BLOCK + -(-len(data) // BLOCK) * BLOCK for data in encode(sample, plan.recipe.output).values())
        for sample in some
    ]
    return describe(plan, sum(sizes) / len(sizes))
