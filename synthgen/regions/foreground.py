"""Foreground: which pixels of a normal image are the product, and how a recipe says so."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from synthgen.config.model import FrozenModel
from synthgen.errors import InputError
from synthgen.images.pixels import Pixels
from synthgen.regions.foreground_decision import decide
from synthgen.regions.foreground_rule import ForegroundRule, Segmentation, apply
from synthgen.runtime.progress import Progress

__all__ = [
    "ForegroundChoice",
    "ForegroundRule",
    "MaskFolder",
    "PublishedForeground",
    "PublishedRules",
    "Segmentation",
    "apply",
    "decide",
    "resolve",
]


class PublishedForeground(FrozenModel):
    """The rules that were published for the categories of a dataset."""

    published: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    """The dataset: ``mvtec``, ``visa``, ``mpdd`` or ``btad``."""


class MaskFolder(FrozenModel):
    """The user's own masks: a folder with one mask for each image, the product above 0, the background 0."""

    masks: Annotated[str, Field(min_length=1)]
    """Path or URL of the folder."""


class PublishedRules(FrozenModel):
    """A data file of published rules, `recipes/foreground/DATASET.yaml`."""

    reference: str
    """Where the rules were published."""
    categories: dict[str, Literal["all"] | Segmentation]
    """``all``: everything is foreground."""
    rest: Segmentation | None = None
    """The rule of every other category, if there is one."""


def _branch(value: Any) -> str:
    if isinstance(value, BaseModel):
        return type(value).__name__
    if not isinstance(value, dict):
        return "literal"
    if "published" in value:
        return "PublishedForeground"
    return "MaskFolder" if "masks" in value else "Segmentation"


ForegroundChoice = Annotated[
    Annotated[Literal["auto", "all"], Tag("literal")]
    | Annotated[Segmentation, Tag("Segmentation")]
    | Annotated[PublishedForeground, Tag("PublishedForeground")]
    | Annotated[MaskFolder, Tag("MaskFolder")],
    Discriminator(_branch),
]
"""The recipe's field: ``auto``, ``all``, an own rule, ``{published: DATASET}`` or ``{masks: PATH}``."""


def resolve(
    choice: ForegroundChoice, category: str, images: Sequence[Pixels], progress: Progress | None = None
) -> ForegroundRule:
    """The rule of one category; ``images`` are some of its prepared images, each (H, W, C) uint8.

    With a folder of masks the rule only says so: the masks are read instead of applying it. ``progress`` is
    called with (rules tried, rules in all) while ``auto`` decides. Raises InputError where no rule is
    published for the category or dataset.
    """
    match choice:
        case "auto":
            return decide(images, progress)
        case "all":
            return ForegroundRule(
                product_type="texture", reason="everything is foreground, as the recipe says"
            )
        case Segmentation():
            return ForegroundRule(
                product_type="object", reason="object: the recipe's own rule", segmentation=choice
            )
        case MaskFolder():
            return ForegroundRule(product_type="object", reason="object: the masks of the recipe's folder")
    return _published(choice.published, category)


def _published(dataset: str, category: str) -> ForegroundRule:
    from synthgen.config.reader import read_model
    from synthgen.config.shipped import shipped_dir

    files = {path.stem: path for path in (shipped_dir() / "foreground").glob("*.yaml")}
    if dataset not in files:
        raise InputError(
            f"foreground: no rules were published for {dataset!r}, only for {', '.join(sorted(files))}; "
            "name one of these or use auto"
        )
    rules = read_model(files[dataset], PublishedRules)
    rule = rules.categories.get(category, rules.rest)
    if rule is None:
        raise InputError(
            f"foreground: {dataset} has no published rule for the category {category!r}, only for "
            f"{', '.join(sorted(rules.categories))}; use auto or give a rule"
        )
    if rule == "all":
        return ForegroundRule(product_type="texture", reason=f"everything is foreground ({rules.reference})")
    return ForegroundRule(
        product_type="object", reason=f"object: published rule ({rules.reference})", segmentation=rule
    )
