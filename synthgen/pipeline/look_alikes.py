"""Which methods of a recipe make what its own good products look like: a look before the recipe is used."""

from collections.abc import Sequence

from synthgen.pipeline.freeze import freeze
from synthgen.pipeline.pipeline import Pipeline
from synthgen.recipe.judge import AbnormalRule, JudgeRules
from synthgen.recipe.look_alikes import LookAlikes
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.progress import Stages, silent
from synthgen.shards.statistics import ShardStatistics
from synthgen.sources.base import Entry, Source
from synthgen.sources.evenly import evenly
from synthgen.sources.uploads import UploadSource

DEFECTS = 24
"""Of every method that are looked at."""
MOST_IMAGES = 240
"""Good images of the product that are looked at."""


def find_look_alikes(recipe: Recipe, progress: Stages = silent) -> LookAlikes:
    """Make some defects of every method on the images of the recipe's largest category, and compare them.

    Raises InputError where that cannot be told: too few images, or the extra detectors is not installed.
    """
    category, entries = _largest_category(recipe.source.entries())
    images = [data for entry in evenly(entries, MOST_IMAGES) if (data := _read(recipe.source, entry))]
    rule = AbnormalRule(otherwise="report")
    looked_at = {}
    looked_normal = {}
    with progress("comparing defects with good images", "methods") as report:
        for number, synthesizer in enumerate(recipe.synthesizers, 1):
            own = recipe.model_copy(
                update={
                    "source": UploadSource.of(images, category, recipe.source.held_out),
                    "count": DEFECTS,
                    "normal_share": 0.0,
                    "synthesizers": [synthesizer],
                    "judge": JudgeRules(abnormal=rule),
                }
            )
            samples = Pipeline(freeze(own)).samples(range(DEFECTS))
            statistics = ShardStatistics.of(sample.facts for sample in samples)
            looked_at[synthesizer.method] = sum(statistics.looked_at.values())
            looked_normal[synthesizer.method] = sum(statistics.looked_normal.values())
            report(number, len(recipe.synthesizers))
    return LookAlikes(category, looked_at, looked_normal)


def _largest_category(entries: Sequence[Entry]) -> tuple[str, list[Entry]]:
    by_category: dict[str, list[Entry]] = {}
    for entry in entries:
        by_category.setdefault(entry.category, []).append(entry)
    return max(by_category.items(), key=lambda item: len(item[1]))


def _read(source: Source, entry: Entry) -> bytes | None:
    try:
        return source.read(entry.path)
    except OSError:  # it is told where the images are looked at first
        return None
