"""Which methods of a recipe make what its own good products look like: a look before the recipe is used."""

from synthgen.pipeline.freeze import Pins, find_ground, freeze_on
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
MOST_BYTES = 2**29
"""What their files have together, as far as the first one tells: they are kept in memory."""


def find_look_alikes(recipe: Recipe, progress: Stages = silent) -> LookAlikes:
    """Make some defects of every method on the images of the recipe's largest category, and compare them.

    Raises InputError where that cannot be told: too few images, or the extra detectors is not installed.
    """
    category, images = _some_images(recipe.source)
    asked = recipe.model_copy(
        update={
            "source": UploadSource.of(images, category, recipe.source.held_out),
            "count": DEFECTS,
            "normal_share": 0.0,
            "judge": JudgeRules(abnormal=AbnormalRule(otherwise="report")),
        }
    )
    ground, pins = find_ground(asked), Pins()
    looked_at = {}
    looked_normal = {}
    with progress("comparing defects with good images", "methods") as report:
        for number, synthesizer in enumerate(recipe.synthesizers, 1):
            own = asked.model_copy(update={"synthesizers": [synthesizer]})
            samples = Pipeline(freeze_on(ground, own, pins)).samples(range(DEFECTS))
            statistics = ShardStatistics.of(sample.facts for sample in samples)
            looked_at[synthesizer.method] = sum(statistics.looked_at.values())
            looked_normal[synthesizer.method] = sum(statistics.looked_normal.values())
            report(number, len(recipe.synthesizers))
    return LookAlikes(category, looked_at, looked_normal)


def _some_images(source: Source) -> tuple[str, list[bytes]]:
    """The largest category, and some of its images as files."""
    by_category: dict[str, list[Entry]] = {}
    for entry in source.entries():
        by_category.setdefault(entry.category, []).append(entry)
    category, entries = max(by_category.items(), key=lambda item: len(item[1]))
    first = _read(source, entries[0]) or b""
    most = min(MOST_IMAGES, MOST_BYTES // max(len(first), 1))
    return category, [data for entry in evenly(entries, most) if (data := _read(source, entry))]


def _read(source: Source, entry: Entry) -> bytes | None:
    try:
        return source.read(entry.path)
    except OSError:  # it is told where the images are looked at first
        return None
