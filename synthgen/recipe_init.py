"""A first recipe for a folder of pictures, with a comment on every field, from a look at the pictures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap
from typing import Literal

import numpy as np

from synthgen.errors import InputError
from synthgen.images import Decoded, UnusableImage, decode, is_grey, prepare
from synthgen.plan import Preparation
from synthgen.recipe import MAX_SIDE, Recipe
from synthgen.recipe_file import inline, parse_model
from synthgen.regions.foreground import ForegroundRule, decide
from synthgen.scene import SceneKind
from synthgen.sources.base import Entry, Source
from synthgen.sources.detect import source_for
from synthgen.sources.files import Root

MOST_LOOKED_AT = 300
"""Images that are decoded for their size and colour, evenly spread over the source."""
MOST_FOR_FOREGROUND = 8
"""Images of each category that the foreground is decided from."""
MOST_NATIVE_SIDE = 512
MOST_LISTED = 10

Size = tuple[int, int]


@dataclass(slots=True)
class Look:
    """What was seen in a source: sizes are (height, width)."""

    images: int
    sizes: Counter[Size] = field(default_factory=Counter)
    is_grey: bool = True
    depth16: tuple[int, int] | None = None
    unusable: dict[str, str] = field(default_factory=dict)


def write_recipe(folder: str, out: Path) -> Recipe:
    """Look at a folder (or URL) of normal images and write a commented recipe for it to ``out``.

    Raises InputError where there is no usable image, or ``out`` exists or cannot be written.
    """
    if out.exists():
        raise InputError(f"{out} exists already; give another file name, or remove it first")
    source = source_for(folder)
    entries = source.entries()
    look = _look(source, entries)
    if not look.sizes:
        path, reason = next(iter(look.unusable.items()))
        raise InputError(f"{folder} has no usable image; {path}: {reason}")
    size = suggested_size(look.sizes)
    rules = _foregrounds(source, entries, look, size)
    text = _text(folder, source, look, size, rules)
    recipe = parse_model(text, str(out), Recipe)
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}") from error
    return recipe


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
    look = Look(len(entries))
    for entry in _spread(entries, MOST_LOOKED_AT):
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
        fit="resize",
        channels=1 if look.is_grey else 3,
        depth16=look.depth16,
    )
    rules = {}
    for category in sorted({entry.category for entry in entries}):
        own = [entry for entry in entries if entry.category == category]
        decoded = [_decoded(source, entry, look) for entry in _spread(own, MOST_FOR_FOREGROUND)]
        images = [prepare(pixels, preparation) for pixels in decoded if pixels is not None]
        if images:
            rules[category] = decide(images)
    return rules


def _decoded(source: Source, entry: Entry, look: Look) -> Decoded | None:
    try:
        return decode(source.read(entry.path))
    except (OSError, UnusableImage) as error:
        look.unusable[entry.path] = str(error)
        return None


def _spread(entries: Sequence[Entry], most: int) -> list[Entry]:
    """At most ``most`` entries, evenly spread."""
    count = min(len(entries), most)
    return [entries[position * len(entries) // count] for position in range(count)]


def _text(
    folder: str,
    source: Source,
    look: Look,
    size: Size | Literal["native"],
    rules: dict[str, ForegroundRule],
) -> str:
    kinds: set[SceneKind] = {rule.kind for rule in rules.values()}
    own = source.model_dump(mode="json", exclude_none=True, exclude={"held_out"})
    return f"""\
# A recipe for synthgen: which normal images, which defects, how many samples.
{_seen(look)}
name: {inline(_name(folder))}

# The same seed makes the same samples; another seed makes others.
seed: 0

# How many samples to make.
count: 1000

# Where the normal images are. held_out is the share of them that is set aside for judging detectors.
source: {inline(own | {"held_out": source.held_out})}

# [height, width] of the samples, or native where all images have one size of their own.
{_size(look, size)}
# How an image gets that size: resize the whole, or crop its centre.
fit: resize
# fit: crop

# An image that cannot be used: skip (it is recorded and left out) or fail (it stops the run).
on_bad_image: skip
# on_bad_image: fail

# Which of the normal images become samples: fit, heldout, or all.
split: fit
# split: all

# Share of the samples that stay normal, 0 to below 1.
normal_share: 0.1

# Where a defect may be: auto finds the product in the images, all is the whole image. Found by auto:
{_found(rules)}
foreground: auto
# foreground: all

# Least mean change inside a mask, in grey levels, for a defect to count as visible (0: any change).
min_contrast: 4

# How often a sample is drawn anew, until a defect is visible and on the product.
attempts: 50

# The kinds of defects. weight is how often one is used, relative to the others; delta is the opacity
# [low, high] of a defect; area is the share of the image that a patch covers.
synthesizers:
{_mix(kinds)}
# How samples are written: png (lossless), webp (lossless, smaller) or jpg (quality 1 to 100).
output:
  image_format: png
  # image_format: jpg
  # quality: 95
  # Write the normal image beside every sample.
  keep_normal: false
  # Samples in a shard (one tar file).
  shard_size: 1000
"""


def _name(folder: str) -> str:
    return Root(folder).name.strip("_-")[:100] or "images"


def _seen(look: Look) -> str:
    seen = sum(look.sizes.values())
    looked_at = "" if seen + len(look.unusable) >= look.images else f" ({seen} of them looked at)"
    colour = "grey" if look.is_grey else "colour"
    deep = ", some with 16 bits" if look.depth16 else ""
    bad = [f"{path}: {reason}" for path, reason in look.unusable.items()]
    lines = [f"Seen: {look.images} images{looked_at}, {colour}{deep}, {_sizes(look.sizes)} (width x height)."]
    if bad:
        lines += [f"Not usable: {len(bad)} of them:", *bad[:MOST_LISTED]]
    return "\n".join(_comment(line) for line in lines)


def _sizes(sizes: Counter[Size]) -> str:
    by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    if len(sizes) == 1:
        return _width_by_height(by_area[0])
    return f"{len(sizes)} sizes from {_width_by_height(by_area[0])} to {_width_by_height(by_area[-1])}"


def _width_by_height(size: Size) -> str:
    height, width = size
    return f"{width} x {height}"


def _size(look: Look, size: Size | Literal["native"]) -> str:
    if size == "native":
        return "size: native\n# size: [256, 256]"
    other = "\n# size: native" if len(look.sizes) == 1 else ""
    return f"size: {inline(list(size))}{other}"


def _found(rules: dict[str, ForegroundRule]) -> str:
    lines = [
        f"{category}: {rule.kind}" + (f" ({rule.reason})" if rule.reason else "")
        for category, rule in rules.items()
    ]
    return "\n".join(_comment(line) for line in lines)


def _comment(text: str) -> str:
    """A text as comment lines, whatever characters a file's name or an image's error holds."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
    return "\n".join(f"# {line}" for line in wrap(plain, 98, subsequent_indent="  "))


_PERLIN_TEXTURE = """\
  # Textures shown through Perlin noise, as DRAEM does; textures is builtin or a folder of pictures.
  - {method: perlin-texture, weight: 2, textures: builtin, delta: [0.2, 1.0]}
"""
_SELF_SHUFFLE = """\
  # The image's own cells, shuffled, through Perlin noise, as MemSeg does.
  - {method: perlin-self-shuffle, weight: 1, grid: [8, 8], delta: [0.2, 1.0]}
"""
_CUTPASTE = """\
  # A rectangle of the product, pasted onto another place of it; patch_from: other takes another image's.
  - {method: cutpaste, weight: 1, area: [0.02, 0.15], patch_from: same}
"""
_SCAR = """\
  # A thin turned strip; width and height are pixels of a 256 x 256 image, rotation is in degrees.
  - {method: scar, weight: 1, width: [2, 16], height: [10, 25], rotation: [-45, 45]}
"""
_SMOOTHBLEND = """\
  # A patch that fades out towards its edge.
  - {method: smoothblend, weight: 1, area: [0.02, 0.15]}
"""
_NSA = """\
  # Patches of another image, blended without a seam (Poisson blending).
  - {method: nsa, weight: 1, max_patches: 4}
"""
_CUTOUT = """\
  # A rectangle of one colour: mean, black or random.
  - {method: cutout, weight: 1, area: [0.02, 0.15], fill: mean}
"""


def _mix(kinds: set[SceneKind]) -> str:
    """The methods for textures, objects or both; the others are commented out.

    A rectangle cut out of a texture mostly looks like what it covers, and the cells of an object's image are
    in part background.
    """
    usual = [_PERLIN_TEXTURE, _SCAR, _SMOOTHBLEND, _NSA]
    if "texture" in kinds:
        usual.append(_SELF_SHUFFLE)
    if "object" in kinds:
        usual.append(_CUTPASTE)
    others = [method for method in (_SELF_SHUFFLE, _CUTPASTE, _CUTOUT) if method not in usual]
    return "".join(usual) + "".join(method.replace("  - ", "  # - ") for method in others)
