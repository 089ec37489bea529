"""What a person asks for: the recipe's models. Reading them from YAML is in ``recipe_file``."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator, model_validator

from synthgen.config.model import FrozenModel
from synthgen.config.ranges import IntensityRange
from synthgen.images.preparation import Resize, Side
from synthgen.recipe.judge import JudgeRules
from synthgen.regions.foreground import ForegroundChoice
from synthgen.sources.registry import AnySource
from synthgen.synthesizers.registry import AnySynthesizer

Size = tuple[Side, Side] | Literal["native"]
ImageFormat = Literal["png", "jpg", "webp"]
"""How the images of samples are encoded."""


class Output(FrozenModel):
    """How samples are written. Nothing here changes which samples there are."""

    image_format: ImageFormat = "png"
    """Format of the images: png (lossless), webp (lossless, smaller) or jpg."""
    quality: Annotated[int, Field(ge=1, le=100)] = 95
    """JPEG quality, 1 to 100; the other formats ignore it."""
    keep_normal: bool = False
    """Write the paired normal image beside every sample."""
    shard_size: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Samples in a shard (one tar file)."""


class Recipe(FrozenModel):
    """A recipe: which normal images, which synthesizers with which ranges, how many samples."""

    renamed = {  # noqa: RUF012 - a class variable of the base
        "fit": "resize (whole, crop or tile)",
        "min_contrast": "judge.min_contrast",
        "resize: resize": "whole",
        "split: fit": "train",
        "split: heldout": "held-out",
    }

    name: Annotated[str, Field(max_length=100)]
    """What the recipe is called: letters, digits, - and _."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """The same seed makes the same samples; another seed makes others."""
    count: Annotated[int, Field(ge=1, le=10**9)]
    """How many samples to make."""
    source: SerializeAsAny[AnySource]
    """Where the normal images are."""
    size: Size = (256, 256)
    """[height, width] of the samples in pixels, or ``native`` where all images have one size of their own."""
    resize: Resize = "whole"
    """How an image gets that size: whole (it is resized), crop (its centre is cut out at its own resolution),
    or tile (each sample is cut out at its own resolution at a place of its own, drawn at random where the
    product is)."""
    intensity_range: IntensityRange | Literal["auto"] = "auto"
    """Which values of 16-bit images become 0 … 255: ``auto`` finds the range that the images fill, whatever a
    few pixels or images hold, or [low, high] within 0 … 65535. What lies beyond is clipped; 8-bit images are
    taken as they are."""
    on_bad_image: Literal["skip", "fail"] = "skip"
    """An image that cannot be used: skip (it is recorded and left out) or fail (it stops the run)."""
    split: Literal["train", "held-out", "all"] = "train"
    """Which of the normal images become samples: train, held-out (those set aside for judging), or all."""
    spread: Literal["images", "categories"] = "images"
    """What the samples are spread over evenly: images, or categories, whatever their numbers of images."""
    normal_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the samples that stay normal, 0 to below 1."""
    foreground: ForegroundChoice = "auto"
    """Where a defect may be: ``auto`` finds the product in the images, ``all`` is the whole image,
    ``{masks: PATH}`` names a folder with a mask of the product for every image, ``{published: DATASET}``
    takes the rules that were published for a dataset, and ``{side: dark}`` or ``{side: bright}`` begins an
    own rule."""
    judge: JudgeRules = JudgeRules()
    """What a defect must be."""
    attempts: Annotated[int, Field(ge=1, le=1000)] = 50
    """How often a sample is drawn anew, until a defect is on the product and passes the judge; without one it
    is left normal and recorded as rejected."""
    synthesizers: Annotated[list[SerializeAsAny[AnySynthesizer]], Field(min_length=1, max_length=100)]
    """The methods that make the defects, each with its ranges."""
    output: Output = Output()
    """How the samples are written."""

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

    @field_validator("size")
    @classmethod
    def _within_bounds(cls, size: Size, others: ValidationInfo) -> Size:
        source = others.data.get("source")
        if source and size != "native" and size[0] * size[1] > source.max_megapixels * 1e6:
            raise ValueError(
                f"a sample has at most {source.max_megapixels} megapixels (source.max_megapixels), and "
                f"{size[1]} x {size[0]} pixels are {size[0] * size[1] / 1e6:.0f}"
            )
        return size

    @field_validator("resize")
    @classmethod
    def _tiles_have_a_size(cls, resize: Resize, others: ValidationInfo) -> Resize:
        if resize == "tile" and others.data.get("size") == "native":
            raise ValueError(
                "tiles are cut out of the images, and size: native makes each sample as large as its image; "
                "give the tiles' size: [height, width], such as [256, 256]"
            )
        return resize

    @field_validator("synthesizers")
    @classmethod
    def _some_weight(cls, synthesizers: list[AnySynthesizer]) -> list[AnySynthesizer]:
        if sum(synthesizer.weight for synthesizer in synthesizers) <= 0:
            raise ValueError("the weights sum to 0; give at least one synthesizer a positive weight")
        return synthesizers
