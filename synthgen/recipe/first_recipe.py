"""A first recipe for a folder of pictures, with a comment on every field, from a look at the pictures."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from synthgen.config.listing import listed as shortlist
from synthgen.config.reader import parse_model
from synthgen.errors import InputError
from synthgen.images.decode import UnusableImage, decode, has_more_pages
from synthgen.images.depth import Levels, depth_range, levels
from synthgen.images.pixels import Decoded, Pixels, is_grey
from synthgen.images.preparation import Preparation
from synthgen.images.prepare import prepare
from synthgen.recipe.look_alikes import LookAlikes, advised, is_worthwhile
from synthgen.recipe.proposed_methods import propose_methods
from synthgen.recipe.proposed_size import propose_size
from synthgen.recipe.recipe import Recipe
from synthgen.recipe.template import Look, Proposal, recipe_text
from synthgen.recipe.trial import Trial
from synthgen.regions.foreground import decide
from synthgen.regions.foreground_decision import DECISION_IMAGES
from synthgen.runtime.progress import Progress, Stages, silent
from synthgen.sources.base import Entry, Listed, Source
from synthgen.sources.evenly import evenly
from synthgen.sources.recognise import source_for
from synthgen.sources.survey import pages_note
from synthgen.storage.listing import formats_note
from synthgen.storage.place import local_path
from synthgen.storage.root import Root
from synthgen.storage.whole_file import write_new

Compare = Callable[[Recipe, Stages], LookAlikes]
"""Finds out which of a recipe's methods make what its good products look like."""

MOST_LOOKED_AT = 300
"""Images that are decoded for their size and colour, evenly spread over the source."""


def write_recipe(
    folder: str | Path,
    out: str | Path,
    source: Source | None = None,
    note: Callable[[str], None] = lambda _: None,
    progress: Stages = silent,
    *,
    compare: Compare | None = None,
) -> Recipe:
    """Look at a folder (or URL) of normal images and write a commented recipe for it to ``out``.

    ``source`` is what lies in the folder, where it is not to be recognised. ``note`` is called with what a
    person should know of the folder's other files, a sentence each. ``compare`` finds out which methods make
    what good products look like, and raises InputError where that cannot be told. Raises InputError where
    there is no usable image, or ``out`` exists or cannot be written.
    """
    place = local_path(out)
    _require_free(place)
    source = source or source_for(str(folder))
    listed = source.listing()
    with progress("looking at the images", "images") as report:
        look = _look(source, listed, report)
    if not look.sizes:
        path, reason = next(iter(look.unusable.items()))
        raise InputError(f"{folder} has no usable image; {path}: {reason}")
    for sentence in look.notes:
        note(sentence)
    proposed = propose_size(look.sizes)
    preparation = Preparation(
        size=next(iter(look.sizes)) if proposed.size == "native" else proposed.size,
        resize=proposed.resize,
        channels=1 if look.is_grey else 3,
        depth16=look.depth.range if look.depth else None,
    )
    rules, trial = {}, Trial()
    with progress("finding the foreground", "rules") as report:
        for category, images in _prepared_images(source, listed.entries, look, preparation):
            rules[category] = decide(images, report)
            trial.add(category, rules[category], images)
    offers = propose_methods({rule.product_type for rule in rules.values()}, *preparation.size)
    with progress("trying the methods", "methods") as report:
        offers = trial.of(offers, report)
    proposal = Proposal(proposed, offers)
    recipe = parse_model(recipe_text(_name(str(folder)), source, look, rules, proposal), str(out), Recipe)
    proposal = _compared(recipe, proposal, compare, progress)
    text = recipe_text(_name(str(folder)), source, look, rules, proposal)
    recipe = parse_model(text, str(out), Recipe)
    try:
        write_new(place, text.encode())
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}") from error
    return recipe


def _compared(recipe: Recipe, proposal: Proposal, compare: Compare | None, progress: Stages) -> Proposal:
    """The proposal with what a comparison of its defects with good products says of it."""
    if compare is None:
        return proposal
    try:
        found = compare(recipe, progress)
    except InputError as error:
        return proposal._replace(abnormal=f"Whether defects look like good products is not known: {error}")
    methods = advised(proposal.methods, found)
    worthwhile = is_worthwhile(methods, found)
    shares = ", ".join(f"{method} {found.share(method):.0%}" for method in found.looked_at)
    return proposal._replace(
        methods=methods,
        asks_abnormal=worthwhile,
        abnormal=f"Of {found.category}, as many defects look like good products: {shares}"
        + ("." if worthwhile else "; so few that there is no need to ask."),
    )


def _require_free(out: Path) -> None:
    try:
        taken = out.exists()
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}") from error
    if taken:
        raise InputError(f"{out} exists already; give another file name, or remove it first")


def _look(source: Source, listed: Listed, progress: Progress) -> Look:
    some = evenly(listed.entries, MOST_LOOKED_AT)
    look = Look(len(listed.entries), len(some))
    depths: list[Levels | None] = []
    for number, entry in enumerate(some, 1):
        progress(number, len(some))
        pixels = _decoded(source, entry, look)
        if pixels is None:
            continue
        look.sizes[pixels.shape[0], pixels.shape[1]] += 1
        look.is_grey &= is_grey(pixels)
        depths.append(levels(pixels))
    look.depth = depth_range(depths)
    strays = [f"{stray.path} {stray.reason}" for stray in listed.strays]
    formats, pages = formats_note(listed.other_formats), pages_note(sorted(look.more_pages))
    look.notes = [*formats, *pages, *shortlist(strays)]
    return look


def _prepared_images(
    source: Source, entries: Sequence[Entry], look: Look, preparation: Preparation
) -> Iterator[tuple[str, list[Pixels]]]:
    """Every category with a few of its images, prepared as the recipe says."""
    by_category: dict[str, list[Entry]] = {}
    for entry in entries:
        by_category.setdefault(entry.category, []).append(entry)
    for category, own in sorted(by_category.items()):
        prepared = [_prepared(source, entry, look, preparation) for entry in evenly(own, DECISION_IMAGES)]
        if images := [image for image in prepared if image is not None]:
            yield category, images


def _prepared(source: Source, entry: Entry, look: Look, preparation: Preparation) -> Pixels | None:
    pixels = _decoded(source, entry, look)
    try:
        return None if pixels is None else prepare(pixels, preparation)
    except UnusableImage as error:
        look.unusable[entry.path] = str(error)
        return None


def _decoded(source: Source, entry: Entry, look: Look) -> Decoded | None:
    try:
        data = source.read(entry.path)
        pixels = decode(data, source.max_megapixels)
        if has_more_pages(data):
            look.more_pages.add(entry.path)
    except (OSError, UnusableImage) as error:
        look.unusable[entry.path] = str(error)
        return None
    return pixels


def _name(folder: str) -> str:
    return Root(folder).name.strip("_-")[:100] or "images"
