"""A plan: a recipe with the world pinned. ``plan + index → sample`` is a pure function."""

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from synthgen.diffusion.model_files import PinnedModel
from synthgen.recipe import Recipe
from synthgen.regions.foreground import ForegroundRule
from synthgen.sample import FORMAT_VERSION, Sample
from synthgen.shards.pinned_bank import PinnedBank

if TYPE_CHECKING:
    from synthgen.pipeline import Pipeline


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PinnedFile(_Record):
    """A file that samples depend on: its path below its own root, and the hash of its bytes."""

    path: str
    sha256: str


class NormalImage(PinnedFile):
    """A normal image: what it is and on which side of the fit / held-out split it stands."""

    category: str
    split: Literal["fit", "heldout"]
    foreground_mask: PinnedFile | None = None
    """The user's own mask, where the recipe names a folder of masks."""


class RejectedFile(_Record):
    """An image that cannot be used, and why."""

    path: str
    reason: str


class Preparation(_Record):
    """How a decoded image becomes a sample's normal image."""

    size: tuple[int, int]
    """Height, width."""
    fit: Literal["resize", "crop"]
    channels: Literal[1, 3]
    """1 where every image of the source is grey, else 3 (RGB)."""
    depth16: tuple[int, int] | None = None
    """Darkest and brightest value of the source's 16-bit images; they are scaled to 0 … 255."""


class Plan(_Record):
    """Everything that decides the bytes of the samples, pinned by hash."""

    format_version: int = FORMAT_VERSION
    recipe: Recipe
    preparation: Preparation
    images: list[NormalImage]
    rejected: list[RejectedFile]
    foreground: dict[str, ForegroundRule]
    """The rule of each category, and in its ``reason`` how it was chosen."""
    textures: dict[str, list[PinnedFile]]
    """The pictures of each texture collection that a synthesizer names."""
    models: dict[str, PinnedModel] = {}
    """The diffusion models that a synthesizer names."""
    banks: dict[str, PinnedBank] = {}
    """The banks of stored images that a synthesizer names."""
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    def sample(self, index: int) -> Sample:
        """Make one sample. To make many, `Pipeline(plan).samples(indices)` works in batches."""
        return self._pipeline.sample(index)

    @cached_property
    def _pipeline(self) -> "Pipeline":
        # The one import that runs upwards: a convenience for people at a prompt.
        from synthgen.pipeline import Pipeline

        return Pipeline(self)
