"""The place of a defect: a prepared normal image, its foreground, and what else a method may draw from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.png import BandedPng

if TYPE_CHECKING:
    from synthgen.diffusion.model import DiffusionModel
    from synthgen.diffusion.model_files import PinnedModel
    from synthgen.shards.bank import Bank

Pixels = npt.NDArray[np.uint8]
SceneKind = Literal["texture", "object"]


class Library(Protocol):
    """Where a method finds other pixels; everything is named by the sha256 of its file."""

    def scene(self, sha256: str) -> "Scene":
        """The prepared scene of another normal image."""

    def peers(self, category: str) -> Sequence[str]:
        """The normal images of one category that may be used, in plan order."""

    def textures(self, collection: str) -> Sequence[str]:
        """The pinned pictures of a texture collection (``builtin`` or a folder), in plan order."""

    def texture(self, sha256: str, shape: tuple[int, int, int]) -> Pixels:
        """A texture resized to ``shape`` (H, W, C), uint8."""

    def pinned_model(self, name: str) -> "PinnedModel":
        """What the plan pinned of a diffusion model (``builtin`` or a directory)."""

    def model(self, sha256: str, device: str) -> "DiffusionModel":
        """A diffusion model, loaded on a device and kept there."""

    def bank(self, name: str) -> "Bank":
        """A bank of stored images, opened."""

    def bank_picture(self, fingerprint: str, index: int) -> Pixels:
        """A stored image (H, W, C) uint8 of the bank with this fingerprint."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A prepared normal image with its foreground.

    ``image`` is (H, W, C) uint8 with C = 1 or 3 (RGB); ``foreground`` is (H, W) uint8, 255 where a defect
    may be and 0 elsewhere. Both are shared between samples and must never be written to.
    """

    sha256: str
    category: str
    kind: SceneKind
    image: Pixels
    foreground: Pixels
    library: Library = field(repr=False)

    @property
    def scale(self) -> float:
        """Size of this image relative to the 256 x 256 for which the published pixel sizes are given."""
        return min(self.image.shape[:2]) / 256

    @cached_property
    def png(self) -> BandedPng:
        """The image's PNG, by whose rows the PNGs of its samples are made."""
        return BandedPng(self.image)

    @cached_property
    def foreground_box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the foreground's bounding box; all 0 if there is no foreground."""
        left, top, width, height = cv2.boundingRect(self.foreground)
        return int(left), int(top), int(width), int(height)

    @cached_property
    def covers_all(self) -> bool:
        """Whether every pixel is foreground."""
        return self.foreground_pixels == self.foreground.size

    @cached_property
    def mean_colour(self) -> tuple[int, ...]:
        """Mean grey level of each channel, rounded."""
        return tuple(round(value) for value in cv2.mean(self.image)[: self.image.shape[2]])

    @cached_property
    def foreground_pixels(self) -> int:
        """How many pixels are foreground."""
        return int(np.count_nonzero(self.foreground))
