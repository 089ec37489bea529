"""A plan: a recipe with the world pinned. ``plan + index → sample`` is a pure function."""

import json
from hashlib import sha256
from typing import Annotated

from pydantic import Field

from synthgen.config.model import FrozenModel
from synthgen.diffusion.model_files import PinnedModel
from synthgen.images.depth import DepthRange
from synthgen.images.preparation import Preparation
from synthgen.normality.pinned import PinnedMemory
from synthgen.recipe.recipe import Recipe
from synthgen.regions.foreground import ForegroundRule
from synthgen.sample import FORMAT_VERSION
from synthgen.sources.records import NormalImage, PinnedFile, RejectedFile
from synthgen.synthesizers.ingredients import PinnedBank


class Plan(FrozenModel):
    """Everything that decides the bytes of the samples, pinned by hash."""

    format_version: int = FORMAT_VERSION
    recipe: Recipe
    preparation: Preparation
    depth: DepthRange | None = None
    """What the 16-bit images hold, where there are any; the preparation has the range itself."""
    images: list[NormalImage]
    rejected: list[RejectedFile]
    notes: list[str] = Field([])
    """What a person should know of the source's other files, a sentence each."""
    foreground: dict[str, ForegroundRule]
    """The rule of each category, and in its ``reason`` how it was chosen."""
    textures: dict[str, list[PinnedFile]]
    """The pictures of each texture collection that a synthesizer names."""
    models: dict[str, PinnedModel] = Field({})
    """The diffusion models that a synthesizer names."""
    banks: dict[str, PinnedBank] = Field({})
    """The banks of stored images that a synthesizer names."""
    normality: dict[str, PinnedMemory] = Field({})
    """By category, what good products look like; only with ``judge.abnormal``."""
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def categories(self) -> set[str]:
        """The categories of the normal images."""
        return {image.category for image in self.images}


def fingerprint(plan: Plan) -> str:
    """sha256 of all that decides the samples; not their number, how they are written, or where files lie."""
    apart = {"fingerprint", "depth", "rejected", "notes", "textures", "models", "banks"}
    data = plan.model_dump(mode="json", exclude=apart)
    asked = data["recipe"]
    for field in ("count", "output", "source", "intensity_range", "on_bad_image", "foreground"):
        del asked[field]
    rules = asked.pop("judge")
    asked["min_contrast"] = rules["min_contrast"]  # where it stood before the judge had other rules
    if rules["abnormal"]:
        asked["abnormal"] = rules["abnormal"]
    else:
        del data["normality"]
    asked["synthesizers"] = [each.pinned(plan) for each in plan.recipe.synthesizers]
    return sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
