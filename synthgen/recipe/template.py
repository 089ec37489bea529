"""The text of a first recipe: every field behind a comment, with the alternatives commented out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from textwrap import indent, wrap
from typing import NamedTuple

from pydantic import BaseModel

from synthgen.config.document import one_line
from synthgen.config.listing import listed
from synthgen.config.writer import inline
from synthgen.images.depth import DepthRange
from synthgen.recipe.judge import JudgeRules
from synthgen.recipe.proposed_methods import Offer
from synthgen.recipe.proposed_size import ProposedSize, Size
from synthgen.recipe.recipe import Output, Recipe
from synthgen.regions.foreground import ForegroundRule
from synthgen.sources.base import Source
from synthgen.synthesizers.base import Synthesizer
from synthgen.synthesizers.registry import SYNTHESIZERS


@dataclass(slots=True)
class Look:
    """What was seen in a source: sizes are (height, width)."""

    images: int
    looked_at: int
    sizes: Counter[Size] = field(default_factory=Counter)
    is_grey: bool = True
    depth: DepthRange | None = None
    unusable: dict[str, str] = field(default_factory=dict)
    more_pages: set[str] = field(default_factory=set)
    """The images of which only the first page is used."""
    notes: list[str] = field(default_factory=list)
    """What is to be said of the source's other files."""


class Proposal(NamedTuple):
    """What is proposed for the images that were seen."""

    size: ProposedSize
    methods: Sequence[Offer]
    abnormal: str = ""
    """What was found of methods whose defects look like good products, in a sentence."""
    asks_abnormal: bool = False
    """Whether each defect is to be compared with good products."""


def recipe_text(
    name: str, source: Source, look: Look, rules: dict[str, ForegroundRule], proposal: Proposal
) -> str:
    """The recipe as YAML with comments; ``rules`` are what the foreground was found to be, by category."""
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
{_each_says(type(source), *(name for name in type(source).model_fields if name != "kind"))}
source: {inline(own | {"held_out": source.held_out, "max_megapixels": source.max_megapixels})}

{_says("size")}
{_size(look, proposal.size)}
{_says("resize")}
resize: {proposal.size.resize}
# resize: crop
{_tile(proposal.size)}
{_says("intensity_range")}
{_intensity_range(look)}
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

{_says("judge")}
judge:
{indent(_says("min_contrast", JudgeRules), "  ")}
  min_contrast: 4
{indent(_says("abnormal", JudgeRules), "  ")}
{indent(_comment(proposal.abnormal), "  ")}
  {"" if proposal.asks_abnormal else "# "}abnormal: {{quantile: 0.95, min_share: 0.5, otherwise: redraw}}

{_says("attempts")}
attempts: 50

{_says("synthesizers")}
{_each_says(Synthesizer, "weight", "delta")}
synthesizers:
{_mix(proposal.methods)}
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
    deep = ", some with 16 bits" if look.depth else ""
    bad = [f"{path}: {reason}" for path, reason in look.unusable.items()]
    lines = [f"Seen: {look.images} images{looked_at}, {colour}{deep}, {_sizes(look.sizes)} (width x height)."]
    if bad:
        lines += [f"Not usable: {len(bad)} of them:", *listed(bad)]
    lines += look.notes
    return "\n".join(_comment(line) for line in lines)


def _sizes(sizes: Counter[Size]) -> str:
    by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    if len(sizes) == 1:
        return _width_by_height(by_area[0])
    return f"{len(sizes)} sizes from {_width_by_height(by_area[0])} to {_width_by_height(by_area[-1])}"


def _width_by_height(size: Size) -> str:
    height, width = size
    return f"{width} x {height}"


def _size(look: Look, proposed: ProposedSize) -> str:
    if proposed.size == "native":
        lines = "size: native\n# size: [256, 256]"
    else:
        other = "\n# size: native" if len(look.sizes) == 1 else ""
        lines = f"size: {inline(list(proposed.size))}{other}"
    return f"{_comment(proposed.why)}\n{lines}"


def _intensity_range(look: Look) -> str:
    found, shown = "", (0, 65535)
    if look.depth:
        found = _comment(f"Found by auto: {look.depth}.") + "\n"
        low, high = look.depth.range
        shown = (low, high) if low < high else shown
    return f"{found}intensity_range: auto\n# intensity_range: {inline(list(shown))}\n"


def _tile(proposed: ProposedSize) -> str:
    return "" if proposed.size == "native" else "# resize: tile\n"


def _found(rules: dict[str, ForegroundRule]) -> str:
    lines = [f"{category}: {rule.reason or rule.product_type}" for category, rule in rules.items()]
    return "\n".join(_comment(line) for line in lines)


def _comment(text: str, hanging: str = "  ") -> str:
    """A text as comment lines, whatever characters a file's name or an image's error holds."""
    return "\n".join(f"# {line}" for line in wrap(one_line(text), 98, subsequent_indent=hanging))


def _mix(offers: Sequence[Offer]) -> str:
    """The methods that are used, then the others, commented out."""
    return "".join(_entry(offer) for offer in sorted(offers, key=lambda offer: not offer.used))


def _entry(offer: Offer) -> str:
    """A method as an entry of the recipe, behind comments on it and on the fields that are its own."""
    own = [field for field in offer.fields if field not in Synthesizer.model_fields]
    mark = "- " if offer.used else "# - "
    says = " ".join(filter(None, (offer.does, offer.why_not)))
    return f"""\
{indent(_comment(says, ""), "  ")}
{indent(_each_says(SYNTHESIZERS[offer.method], *own), "  ")}
  {mark}{inline({"method": offer.method, **offer.fields})}
"""
