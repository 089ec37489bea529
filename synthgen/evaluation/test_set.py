"""Test sets with labels and masks, and normal images to fit on, whatever data set they are of."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from synthgen.errors import InputError
from synthgen.evaluation.metrics.pixels import Mask
from synthgen.images.decode import UnusableImage, decode
from synthgen.images.pixels import Decoded, Pixels
from synthgen.images.preparation import Preparation
from synthgen.images.prepare import half_covered, prepare
from synthgen.runtime.bounded_cache import BoundedCache
from synthgen.runtime.progress import Progress
from synthgen.sources.base import TestImage
from synthgen.sources.records import RejectedFile

CACHE_BYTES = 2**30
"""Prepared normal images kept for a second pass; beyond that they are read again."""

T = TypeVar("T")


@dataclass(frozen=True)
class Pictures:
    """The normal images to fit on, read when they are asked for."""

    paths: tuple[str, ...]
    read: Callable[[str], bytes]
    prepared: Callable[[str, bytes], Decoded] = lambda _, data: decode(data)
    """What is fitted on of the picture at a path, given its bytes."""


@dataclass(frozen=True)
class TestSet:
    """The test images of one category, in the order of their paths, read when they are asked for."""

    __test__ = False

    category: str
    images: tuple[TestImage, ...]
    read: Callable[[str], bytes]

    def image(self, image: TestImage, side: int) -> Pixels:
        """The whole image resized to (side, side, 3). Raises InputError where it cannot be used."""
        return _explained(lambda: square(decode(self._bytes(image.path)), side), image.path)

    def truth(self, image: TestImage, side: int) -> tuple[str, Mask]:
        """sha256 of the image's file, and its mask at (side, side): all False for a normal image.

        Raises InputError for an image or mask that cannot be used, an anomalous image without mask, and a
        mask that does not fit its image: of another size, empty, or not empty though the image is normal.
        """
        data = self._bytes(image.path)
        pixels = _explained(lambda: decode(data), image.path)
        if image.mask is None:
            if image.anomalous and image.paired:
                raise InputError(f"{image.path} is anomalous and has no mask; add the mask")
            return sha256(data).hexdigest(), np.zeros((side, side), np.bool_)
        mask = self._mask(image.mask)
        if mask.shape != pixels.shape[:2]:
            raise InputError(
                f"{image.mask} is {_size(mask)} pixels, its image {image.path} {_size(pixels)}; one size is "
                "expected"
            )
        if mask.any() != image.anomalous:
            found, label = ("marks pixels", "normal") if mask.any() else ("is empty", "anomalous")
            raise InputError(
                f"{image.mask} {found}, and its image {image.path} is {label}; correct one of them"
            )
        return sha256(data).hexdigest(), resized_mask(mask, side)

    def _mask(self, path: str) -> Mask:
        """Everything that is not 0: VisA's masks number the defect types."""
        data = self._bytes(path)
        if data.startswith(b"\xff\xd8\xff"):
            raise InputError(f"{path} is a JPEG, which blurs a mask; masks are PNG, BMP or TIFF")
        return np.asarray(_explained(lambda: decode(data), path).max(axis=2) > 0)

    def _bytes(self, path: str) -> bytes:
        try:
            return self.read(path)
        except OSError as error:
            raise InputError(f"the test set of {self.category}: {error}") from error


class LabelledDataset(ABC):
    """Categories, each with normal images to fit on and a labelled test set."""

    layout: str
    """The source's kind, or ``shards``."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The last part of where it lies."""

    @abstractmethod
    def categories(self) -> Collection[str]:
        """The names of the categories."""

    @abstractmethod
    def normals(self, category: str) -> Pictures:
        """The normal images to fit on. Raises InputError where there is none."""

    @abstractmethod
    def test_set(self, category: str) -> TestSet:
        """The labelled images. Raises InputError where masks and images do not belong together."""


class NormalPictures:
    """Normal images at (side, side), in batches; the files that cannot be used are left out."""

    def __init__(self, pictures: Pictures, side: int, progress: Progress | None = None) -> None:
        self._pictures, self._side = pictures, side
        self._cache: BoundedCache[Pixels] = BoundedCache(CACHE_BYTES, lambda pixels: pixels.nbytes)
        self.paths: list[str] = []
        self.sha256s: list[str] = []
        self.rejected: list[RejectedFile] = []
        for number, path in enumerate(pictures.paths, 1):
            try:
                data = pictures.read(path)
                self._cache.get(path, lambda path=path, data=data: self._prepared(path, data))  # type: ignore[misc]
            except (UnusableImage, OSError) as error:
                self.rejected.append(RejectedFile(path=path, reason=str(error)))
            else:
                self.paths.append(path)
                self.sha256s.append(sha256(data).hexdigest())
            if progress:
                progress(number, len(pictures.paths))
        if not self.paths:
            first = (
                f"; the first: {self.rejected[0].path}: {self.rejected[0].reason}" if self.rejected else ""
            )
            raise InputError(f"none of the {len(pictures.paths)} normal images can be used{first}")

    def __len__(self) -> int:
        return len(self.paths)

    def batches(self, size: int) -> Iterator[Tensor]:
        """The images in order, (B, 3, side, side) float32 in [0, 1]; the last batch may be smaller."""
        for first in range(0, len(self.paths), size):
            yield to_tensor([self._image(path) for path in self.paths[first : first + size]])

    def _image(self, path: str) -> Pixels:
        return self._cache.get(path, lambda: self._prepared(path, self._pictures.read(path)))

    def _prepared(self, path: str, data: bytes) -> Pixels:
        return square(self._pictures.prepared(path, data), self._side)


def to_tensor(images: Sequence[Pixels]) -> Tensor:
    """Images (H, W, 3) uint8 as (B, 3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous().float() / 255


def square(pixels: Decoded, side: int) -> Pixels:
    """The whole image resized to (side, side, 3). Raises UnusableImage for one of 16 bits."""
    return prepare(pixels, Preparation(size=(side, side), resize="whole", channels=3))


def resized_mask(mask: Mask, side: int) -> Mask:
    """A mask (H, W) at (side, side): true where at least half of a pixel's area is.

    A mask so small that this would leave nothing keeps the pixels with the largest share instead.
    """
    half = half_covered(mask, side)
    if half.any() or not mask.any():
        return half
    # In float: a share below 1 / 255 is one, too.
    least = (min(side, mask.shape[1]), min(side, mask.shape[0]))
    share = cv2.resize(mask.astype(np.float32), least, interpolation=cv2.INTER_AREA)
    share = cv2.resize(share, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(share == share.max())


def _explained(read: Callable[[], T], path: str) -> T:
    try:
        return read()
    except UnusableImage as error:
        raise InputError(f"{path}: {error}") from error


def _size(pixels: npt.NDArray[Any]) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"
