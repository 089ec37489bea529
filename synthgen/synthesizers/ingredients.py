"""What a plan has found for its synthesizers: a protocol, because a plan stands above them."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from synthgen.config.model import FrozenModel
from synthgen.diffusion.model_files import PinnedModel
from synthgen.images.preparation import Preparation
from synthgen.sources.records import PinnedFile


class PinnedBank(FrozenModel):
    """A bank that samples depend on."""

    fingerprint: str
    """Of the plan that made it."""
    shards_sha256: str
    """Hash over the finished shards and their hashes."""
    size: tuple[int, int]
    """Height, width."""
    channels: Literal[1, 3]
    categories: list[str]


class Ingredients(Protocol):
    """The prepared images, and all that a synthesizer's fields name, pinned by hash."""

    @property
    def preparation(self) -> Preparation:
        """How images become samples."""

    @property
    def categories(self) -> set[str]:
        """The categories of the normal images."""

    @property
    def textures(self) -> Mapping[str, Sequence[PinnedFile]]:
        """The pictures of each texture collection, by its name."""

    @property
    def models(self) -> Mapping[str, PinnedModel]:
        """The diffusion models, by their names."""

    @property
    def banks(self) -> Mapping[str, PinnedBank]:
        """The banks of stored images, by their names."""
