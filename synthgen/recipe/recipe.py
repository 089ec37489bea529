"""What a person asks for: the recipe's models. Reading them from YAML is in ``recipe_file``."""

import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from synthgen.images.preparation import Side
from synthgen.regions.foreground import ForegroundChoice
from synthgen.sources.registry import AnySource
from synthgen.synthesizers.registry import AnySynthesizer

ImageFormat = Literal["png", "jpg", "webp"]
"""How the images of samples are encoded."""


def _visible(contrast: float) -> float:
    if 0 < contrast < 2:
        raise ValueError("min_contrast is 2 grey levels or more, or 0 to switch the check off")
    return contrast


class Output(BaseModel):
    """How samples are written. Nothing here changes which samples there are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_format: ImageFormat = "png"
    """png and webp are lossless."""
    quality: Annotated[int, Field(ge=1, le=100)] = 95
    """JPEG quality; the other formats ignore it."""
    keep_normal: bool = False
    """Write the paired normal image beside every sample."""
    shard_size: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Samples in a shard."""


class Recipe(BaseModel):
    """A recipe: which normal images, which synthesizers with which ranges, how many samples."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(max_length=100)]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    count: Annotated[int, Field(ge=1, le=10**9)]
    source: SerializeAsAny[AnySource]
    size: tuple[Side, Side] | Literal["native"] = (256, 256)
    """[height, width] of the samples, or ``native`` where all images have one size."""
    fit: Literal["resize", "crop"] = "resize"
    """How an image gets that size: the whole image resized, or its centre cut out."""
    on_bad_image: Literal["skip", "fail"] = "skip"
    """What an image that cannot be used does: it is recorded and left out, or it stops the run."""
    split: Literal["fit", "heldout", "all"] = "fit"
    """Which of the normal images become samples."""
    spread: Literal["images", "categories"] = "images"
    """What the samples are spread over evenly: the images, or the categories, whatever their numbers."""
    normal_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the samples that stay normal."""
    foreground: ForegroundChoice = "auto"
    min_contrast: Annotated[float, Field(ge=0, le=255), AfterValidator(_visible)] = 4.0
    """Least mean change inside the mask, in grey levels, for a defect to count as visible."""
    attempts: Annotated[int, Field(ge=1, le=1000)] = 50
    """How often a sample is drawn anew before it is left normal and recorded as rejected."""
    synthesizers: Annotated[list[SerializeAsAny[AnySynthesizer]], Field(min_length=1, max_length=100)]
    output: Output = Output()

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]*", name):
            raise ValueError("a name is letters, digits, - and _, and starts with a letter or a digit")
        return name

    @model_validator(mode="after")
    def _paired(self) -> Self:
        unpaired = [each.method for each in self.synthesizers if not each.paired]
        if self.output.keep_normal and unpaired:
            raise ValueError(
                f"keep_normal asks for paired normal images, and {unpaired[0]} has none; set it to false"
            )
        return self

    @field_validator("synthesizers")
    @classmethod
    def _some_weight(cls, synthesizers: list[AnySynthesizer]) -> list[AnySynthesizer]:
        if sum(synthesizer.weight for synthesizer in synthesizers) <= 0:
            raise ValueError("the weights sum to 0; give at least one synthesizer a positive weight")
        return synthesizers
