"""A first recipe for a folder of pictures, with a comment on every field, from a look at the pictures."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from synthgen.config.reader import parse_model
from synthgen.errors import InputError
from synthgen.images.decode import UnusableImage, decode
from synthgen.images.pixels import Decoded, Pixels, is_grey
from synthgen.images.preparation import MAX_SIDE, Preparation
from synthgen.images.prepare import prepare
from synthgen.recipe.recipe import Recipe
from synthgen.recipe.template import Look, Size, recipe_text
from synthgen.regions.foreground import ForegroundRule, decide
from synthgen.regions.foreground_decision import DECISION_IMAGES
from synthgen.sources.base import Entry, Source
from synthgen.sources.recognise import source_for
from synthgen.storage.root import Root

MOST_LOOKED_AT = 300
"""Images that are decoded for their size and colour, evenly spread over the source."""
MOST_NATIVE_SIDE = 512


def write_recipe(folder: str, out: Path) -> Recipe:
    """Look at a folder (or URL) of normal images and write a commented recipe for it to ``out``.

    Raises InputError where there is no usable image, or ``out`` exists or cannot be written.
    """
    _require_free(out)
    source = source_for(folder)
    entries = source.entries()
    look = _look(source, entries)
    if not look.sizes:
        path, reason = next(iter(look.unusable.items()))
        raise InputError(f"{folder} has no usable image; {path}: {reason}")
    size = suggested_size(look.sizes)
    rules = _foregrounds(source, entries, look, size)
    text = recipe_text(_name(folder), source, look, size, rules)
    recipe = parse_model(text, str(out), Recipe)
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}") from error
    return recipe


def _require_free(out: Path) -> None:
    try:
        taken = out.exists()
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}") from error
    if taken:
        raise InputError(f"{out} exists already; give another file name, or remove it first")


def suggested_size(sizes: Counter[Size]) -> Size | Literal["native"]:
    """Height and width for images of these sizes.

    One size of at most 512 pixels a side is kept. Otherwise the shorter side becomes 256 pixels, and the
    longer one keeps the proportion, in steps of 16, where all images have the same within 2 %.
    """
    if len(sizes) == 1 and max(next(iter(sizes))) <= MOST_NATIVE_SIDE:
        return "native"
    proportions = [width / height for height, width in sizes]
    if max(proportions) > 1.02 * min(proportions):
        return 256, 256
    proportion = proportions[0]
    longer = min(round(256 * max(proportion, 1 / proportion) / 16) * 16, MAX_SIDE)
    return (256, longer) if proportion >= 1 else (longer, 256)


def _look(source: Source, entries: Sequence[Entry]) -> Look:
    some = _spread(entries, MOST_LOOKED_AT)
    look = Look(len(entries), len(some))
    for entry in some:
        pixels = _decoded(source, entry, look)
        if pixels is None:
            continue
        look.sizes[pixels.shape[0], pixels.shape[1]] += 1
        look.is_grey &= is_grey(pixels)
        if pixels.dtype == np.uint16:
            low, high = look.depth16 or (65535, 0)
            look.depth16 = min(low, int(pixels.min())), max(high, int(pixels.max()))
    return look


def _foregrounds(
    source: Source, entries: Sequence[Entry], look: Look, size: Size | Literal["native"]
) -> dict[str, ForegroundRule]:
    """The rule of every category, decided from a few of its images prepared as the recipe says."""
    preparation = Preparation(
        size=next(iter(look.sizes)) if size == "native" else size,
        resize="whole",
        channels=1 if look.is_grey else 3,
        depth16=look.depth16,
    )
    rules = {}
    for category in sorted({entry.category for entry in entries}):
        own = [entry for entry in entries if entry.category == category]
        prepared = [_prepared(source, entry, look, preparation) for entry in _spread(own, DECISION_IMAGES)]
        images = [image for image in prepared if image is not None]
        if images:
            rules[category] = decide(images)
    return rules


def _prepared(source: Source, entry: Entry, look: Look, preparation: Preparation) -> Pixels | None:
    pixels = _decoded(source, entry, look)
    try:
        return None if pixels is None else prepare(pixels, preparation)
    except UnusableImage as error:
        look.unusable[entry.path] = str(error)
        return None


def _decoded(source: Source, entry: Entry, look: Look) -> Decoded | None:
    try:
        return decode(source.read(entry.path), source.max_megapixels)
    except (OSError, UnusableImage) as error:
        look.unusable[entry.path] = str(error)
        return None


def _spread(entries: Sequence[Entry], most: int) -> list[Entry]:
    """At most ``most`` entries, evenly spread."""
    count = min(len(entries), most)
    return [entries[position * len(entries) // count] for position in range(count)]


def _name(folder: str) -> str:
    return Root(folder).name.strip("_-")[:100] or "images"
