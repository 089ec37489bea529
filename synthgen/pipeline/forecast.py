"""What a recipe would make, measured on a few of its samples."""

from itertools import islice

from synthgen.detectors.image_size import IMAGE_SIZE
from synthgen.images.pixels import Pixels
from synthgen.images.prepare import half_covered
from synthgen.pipeline.freeze import freeze
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.describe import describe
from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Output, Recipe
from synthgen.runtime.progress import Stages, silent
from synthgen.sample import Sample
from synthgen.shards.encode import encode
from synthgen.shards.tar import BLOCK

SAMPLES_TO_MEASURE = 24


def forecast(recipe: Recipe | Plan, *, progress: Stages = silent) -> str:
    """The images, foreground, synthesizers, samples, shards and bytes of a recipe, a subject a line.

    Where some of its defects would be too small for detectors, that is the last line.
    Raises InputError where the images cannot be used.
    """
    plan = freeze(recipe, progress) if isinstance(recipe, Recipe) else recipe
    sizes, vanish = [], []
    for sample in islice(Pipeline(plan).samples(range(plan.recipe.count)), SAMPLES_TO_MEASURE):
        sizes.append(_stored_bytes(sample, plan.recipe.output))
        if sample.facts.label:
            vanish.append(_vanishes(sample.mask))
    return describe(plan, sum(sizes) / len(sizes), len(vanish), sum(vanish))


def _stored_bytes(sample: Sample, output: Output) -> int:
    return sum(BLOCK + -(-len(data) // BLOCK) * BLOCK for data in encode(sample, output).values())


def _vanishes(mask: Pixels) -> bool:
    """Whether a defect fills half of no pixel at the size at which detectors see whole images."""
    return max(mask.shape) > IMAGE_SIZE and not half_covered(mask > 0, IMAGE_SIZE).any()
