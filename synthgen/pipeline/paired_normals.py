"""The normal image of a stored sample, found again where the source lies now."""

from collections.abc import Callable

from synthgen.errors import InputError, SynthgenError
from synthgen.images.decode import decode
from synthgen.images.pixels import Pixels
from synthgen.images.prepare import prepare
from synthgen.pipeline.file_index import FileIndex
from synthgen.pipeline.image_store import CACHE_BYTES, PlanLibrary
from synthgen.pipeline.tiles import cut
from synthgen.plan.plan import Plan
from synthgen.runtime.bounded_cache import BoundedCache
from synthgen.sample import Facts


def normal_images(plan: Plan, url: str | None) -> Callable[[Facts], Pixels | None]:
    """Gives the prepared normal image of a sample's facts, or None where its file cannot be had.

    The files are looked for in the plan's own source or, by their sha256, below ``url``.
    Raises InputError where ``url`` has none of them.
    """
    if url is None:
        library = PlanLibrary(plan)
        return lambda facts: _or_none(lambda: _shown(library.scene(facts.source_sha256).image, facts, plan))
    files = moved_files(plan, url)
    cache: BoundedCache[Pixels] = BoundedCache(CACHE_BYTES, lambda pixels: pixels.nbytes)

    def render(facts: Facts) -> Pixels:
        data = files.read(facts.source_sha256, "a normal image")
        return prepare(decode(data, plan.recipe.source.max_megapixels), plan.preparation)

    return lambda facts: _or_none(
        lambda: _shown(cache.get(facts.source_sha256, lambda: render(facts)), facts, plan)
    )


def _shown(image: Pixels, facts: Facts, plan: Plan) -> Pixels:
    """The part of a prepared image that a sample is made of."""
    return cut(image, facts.tile, plan.preparation.size) if facts.tile else image


def moved_files(plan: Plan, url: str) -> FileIndex:
    """The files below the folder or URL where a plan's normal images lie now.

    Raises InputError where it has none of them.
    """
    files = FileIndex([url])
    if not any(files.holds(image.sha256) for image in plan.images):
        raise InputError(
            f"{url} holds none of the {len(plan.images)} normal images of the plan; give the folder where "
            "they lie now"
        )
    return files


def _or_none(read: Callable[[], Pixels]) -> Pixels | None:
    try:
        return read()
    except (SynthgenError, KeyError):
        return None
