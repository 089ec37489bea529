"""The text of a first recipe: every field behind a comment, with the alternatives commented out."""

from collections import Counter
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Literal

from synthgen.config.document import one_line
from synthgen.config.listing import listed
from synthgen.config.writer import inline
from synthgen.regions.foreground import ForegroundRule
from synthgen.scene import SceneKind
from synthgen.sources.base import Source

Size = tuple[int, int]


@dataclass(slots=True)
class Look:
    """What was seen in a source: sizes are (height, width)."""

    images: int
    looked_at: int
    sizes: Counter[Size] = field(default_factory=Counter)
    is_grey: bool = True
    depth16: tuple[int, int] | None = None
    unusable: dict[str, str] = field(default_factory=dict)


def recipe_text(
    name: str,
    source: Source,
    look: Look,
    size: Size | Literal["native"],
    rules: dict[str, ForegroundRule],
) -> str:
    """The recipe as YAML with comments; ``rules`` are what the foreground was found to be, by category."""
    kinds: set[SceneKind] = {rule.kind for rule in rules.values()}
    own = source.model_dump(mode="json", exclude_none=True, exclude={"held_out"})
    return f"""\
# A recipe for synthgen: which normal images, which defects, how many samples.
{_seen(look)}
name: {inline(name)}

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

# What the samples are spread over evenly: images, or categories, however many images each of them has.
spread: images
# spread: categories

# Share of the samples that stay normal, 0 to below 1.
normal_share: 0.1

# Where a defect may be: auto finds the product in the images, all is the whole image, masks names a
# folder with a mask of the product for every image. Found by auto:
{_found(rules)}
foreground: auto
# foreground: all
# foreground: {{masks: path/to/masks}}

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


def _seen(look: Look) -> str:
    looked_at = "" if look.looked_at == look.images else f" ({look.looked_at} of them looked at)"
    colour = "grey" if look.is_grey else "colour"
    deep = ", some with 16 bits" if look.depth16 else ""
    bad = [f"{path}: {reason}" for path, reason in look.unusable.items()]
    lines = [f"Seen: {look.images} images{looked_at}, {colour}{deep}, {_sizes(look.sizes)} (width x height)."]
    if bad:
        lines += [f"Not usable: {len(bad)} of them:", *listed(bad)]
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
    lines = [f"{category}: {rule.reason or rule.kind}" for category, rule in rules.items()]
    return "\n".join(_comment(line) for line in lines)


def _comment(text: str) -> str:
    """A text as comment lines, whatever characters a file's name or an image's error holds."""
    return "\n".join(f"# {line}" for line in wrap(one_line(text), 98, subsequent_indent="  "))


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
