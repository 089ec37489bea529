"""The place of a defect: a prepared normal image, its foreground, and what else a method may draw from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

import cv2
import numpy as np

from synthgen.images.pixels import Pixels
from synthgen.images.png import BandedPng
from synthgen.images.preparation import Tile

ProductType = Literal["texture", "object"]


class PinnedPictures(Protocol):
    """What was pinned of a diffusion model, as a method sees it."""

    @property
    def sha256(self) -> str:
        """Hash of the model's files."""

    @property
    def side(self) -> int:
        """Side of the square pictures that it makes, pixels."""


class StoredPictures(Protocol):
    """A bank of stored images, as a method draws from it."""

    @property
    def fingerprint(self) -> str:
        """Of the plan that made the bank."""

    def members(self, category: str) -> Sequence[int]:
        """The indices of a category's images, ascending."""

    def strength(self, index: int) -> float:
        """The strength that one image was made with."""


class PictureModel(Protocol):
    """A diffusion model on its device; what it is asked for is defined beside it."""

    @property
    def side(self) -> int:
        """Side of its square pictures, pixels."""

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""

    def whole(self, requests: Sequence[Any], sampling: Any) -> list[Pixels]:
        """Whole pictures (S, S, C) uint8."""

    def inside(self, requests: Sequence[Any], sampling: Any, start: float) -> list[Pixels]:
        """Pictures (S, S, C) uint8 that were changed inside of a mask."""


class DrawLibrary(Protocol):
    """What ``draw`` may ask for; everything is named by the sha256 of its file."""

    def scene(self, sha256: str) -> "Scene":
        """The prepared scene of another normal image."""

    def peers(self, category: str) -> Sequence[str]:
        """The normal images of one category that may be used, in plan order."""

    def textures(self, collection: str) -> Sequence[str]:
        """The pinned pictures of a texture collection (``builtin`` or a folder), in plan order."""

    def pinned_model(self, name: str) -> PinnedPictures:
        """What the plan pinned of a diffusion model (``builtin`` or a directory)."""

    def bank(self, name: str) -> StoredPictures:
        """A bank of stored images, opened."""


class MakeLibrary(Protocol):
    """What ``make`` may ask for, with nothing but a record of what was drawn."""

    def scene(self, sha256: str) -> "Scene":
        """The prepared scene of another normal image."""

    def texture(self, sha256: str, shape: tuple[int, int, int]) -> Pixels:
        """A texture resized to ``shape`` (H, W, C), uint8."""

    def model(self, sha256: str, device: str) -> PictureModel:
        """A diffusion model, loaded on a device and kept there."""

    def bank_picture(self, fingerprint: str, index: int) -> Pixels:
        """A stored image (H, W, C) uint8 of the bank with this fingerprint."""


class Library(DrawLibrary, MakeLibrary, Protocol):
    """Where a method finds other pixels."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A prepared normal image with its foreground.

    ``image`` is (H, W, C) uint8 with C = 1 or 3 (RGB); ``foreground`` is (H, W) uint8, 255 where a defect
    may be and 0 elsewhere. Both are shared between samples and must never be written to.
    """

    sha256: str
    category: str
    product_type: ProductType
    image: Pixels
    foreground: Pixels
    library: Library = field(repr=False)
    tile: Tile | None = None
    """Where the image lies in its source picture, with ``resize: tile``; the place of another image's tile
    is drawn when its scene is asked for."""

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
