"""The text of a first recipe: every field behind a comment, with the alternatives commented out."""

from collections import Counter
from dataclasses import dataclass, field
from textwrap import indent, wrap
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel

from synthgen.config.document import one_line
from synthgen.config.listing import listed
from synthgen.config.writer import inline
from synthgen.recipe.recipe import Output, Recipe
from synthgen.regions.foreground import ForegroundRule
from synthgen.scene import ProductType
from synthgen.sources.base import Source
from synthgen.synthesizers.base import Synthesizer
from synthgen.synthesizers.registry import SYNTHESIZERS

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
    kinds: set[ProductType] = {rule.product_type for rule in rules.values()}
    own = source.model_dump(mode="json", exclude_none=True, exclude={"held_out", "max_megapixels"})
    return f"""\
# A recipe for synthgen: which normal images, which defects, how many samples.
{_seen(look)}

{_says("name")}
name: {inline(name)}

{_says("seed")}
seed: 0

{_says("count")}
count: 1000

{_says("source")}
{_each_says(type(source), *(name for name in own if name != "kind"), "held_out", "max_megapixels")}
source: {inline(own | {"held_out": source.held_out, "max_megapixels": source.max_megapixels})}

{_says("size")}
{_size(look, size)}
{_says("resize")}
resize: whole
# resize: crop
{_tile(size)}
{_says("on_bad_image")}
on_bad_image: skip
# on_bad_image: fail

{_says("split")}
split: train
# split: all

{_says("spread")}
spread: images
# spread: categories

{_says("normal_share")}
normal_share: 0.1

{_says("foreground")}
# Found by auto:
{_found(rules)}
foreground: auto
# foreground: all
# foreground: {{masks: path/to/masks}}

{_says("min_contrast")}
min_contrast: 4

{_says("attempts")}
attempts: 50

{_says("synthesizers")}
{_each_says(Synthesizer, "weight", "delta")}
synthesizers:
{_mix(kinds)}
{_says("output")}
output:
{indent(_says("image_format", Output), "  ")}
  image_format: png
  # image_format: jpg
{indent(_says("quality", Output), "  ")}
  # quality: 95
{indent(_says("keep_normal", Output), "  ")}
  keep_normal: false
{indent(_says("shard_size", Output), "  ")}
  shard_size: 1000
"""


def _says(field: str, model: type[BaseModel] = Recipe) -> str:
    """The description of a field as comment lines."""
    return _comment(_description(model, field), "")


def _each_says(model: type[BaseModel], *fields: str) -> str:
    """What the fields inside of another one are: a comment for each, behind its name."""
    return "\n".join(_comment(f"  {field}: {_description(model, field)}", "    ") for field in fields)


def _description(model: type[BaseModel], field: str) -> str:
    return " ".join((model.model_fields[field].description or "").replace("``", "").split())


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


def _tile(size: Size | Literal["native"]) -> str:
    return "" if size == "native" else "# resize: tile\n"


def _found(rules: dict[str, ForegroundRule]) -> str:
    lines = [f"{category}: {rule.reason or rule.product_type}" for category, rule in rules.items()]
    return "\n".join(_comment(line) for line in lines)


def _comment(text: str, hanging: str = "  ") -> str:
    """A text as comment lines, whatever characters a file's name or an image's error holds."""
    return "\n".join(f"# {line}" for line in wrap(one_line(text), 98, subsequent_indent=hanging))


class _Offer(NamedTuple):
    """A method of the mix: what it does, and the fields that are shown with their values."""

    does: str
    fields: dict[str, Any]


_OFFERS = {
    "perlin-texture": _Offer(
        "Textures shown through Perlin noise, as DRAEM does.",
        {"weight": 2, "textures": "builtin", "delta": [0.2, 1.0]},
    ),
    "perlin-self-shuffle": _Offer(
        "The image's own cells, shuffled, through Perlin noise, as MemSeg does.",
        {"weight": 1, "grid": [8, 8], "delta": [0.2, 1.0]},
    ),
    "cutpaste": _Offer(
        "A rectangle of the product, pasted onto another place of it.",
        {"weight": 1, "area": [0.02, 0.15], "patch_from": "same"},
    ),
    "scar": _Offer(
        "A thin turned strip of the product.",
        {"weight": 1, "width": [2, 16], "height": [10, 25], "rotation": [-45, 45]},
    ),
    "smoothblend": _Offer("A patch that fades out towards its edge.", {"weight": 1, "area": [0.02, 0.15]}),
    "nsa": _Offer(
        "Patches of another image, blended without a seam (Poisson blending).",
        {"weight": 1, "max_patches": 4},
    ),
    "cutout": _Offer("A rectangle of one colour.", {"weight": 1, "area": [0.02, 0.15], "fill": "mean"}),
}


def _mix(kinds: set[ProductType]) -> str:
    """The methods for textures, objects or both; the others are commented out.

    A rectangle cut out of a texture mostly looks like what it covers, and the cells of an object's image are
    in part background.
    """
    usual = ["perlin-texture", "scar", "smoothblend", "nsa"]
    if "texture" in kinds:
        usual.append("perlin-self-shuffle")
    if "object" in kinds:
        usual.append("cutpaste")
    others = [method for method in ("perlin-self-shuffle", "cutpaste", "cutout") if method not in usual]
    return "".join(_entry(method, "- ") for method in usual) + "".join(
        _entry(method, "# - ") for method in others
    )


def _entry(method: str, mark: str) -> str:
    """A method as an entry of the recipe, behind comments on it and on the fields that are its own."""
    does, fields = _OFFERS[method]
    own = [field for field in fields if field not in Synthesizer.model_fields]
    return f"""\
  # {does}
{indent(_each_says(SYNTHESIZERS[method], *own), "  ")}
  {mark}{inline({"method": method, **fields})}
"""
