"""Test sets with labels and masks, and normal images to fit on, whatever data set they are of."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from synthgen.errors import InputError
from synthgen.images.decode import UnusableImage, decode, has_more_pages
from synthgen.images.depth import Levels, depth_range, levels
from synthgen.images.masks import read_mask
from synthgen.images.own import is_marked
from synthgen.images.pixels import Decoded, Mask, Pixels
from synthgen.images.preparation import Preparation
from synthgen.images.prepare import half_covered, prepare
from synthgen.images.turned import turned_apart
from synthgen.runtime.bounded_cache import BoundedCache
from synthgen.runtime.progress import Progress
from synthgen.sources.base import LabelledSource, Source, TestImage
from synthgen.sources.content import OURS, looks_like_a_mask, require_no_mask
from synthgen.sources.evenly import evenly
from synthgen.sources.records import RejectedFile
from synthgen.sources.survey import OnBadImage, pages_note, strays_of
from synthgen.storage.listing import formats_note

CACHE_BYTES = 2**30
"""Prepared images kept for a second pass; beyond that they are read again."""
TOO_DEEP = (
    "the image has 16 bits, and the detector is fitted on images of 8; convert it to 8 bits, or fit on "
    "images of 16"
)

T = TypeVar("T")


@dataclass(frozen=True)
class Pictures:
    """The normal images to fit on, read when they are asked for."""

    paths: tuple[str, ...]
    read: Callable[[str], bytes]
    prepared: Callable[[str, bytes], Decoded] = lambda _, data: decode(data)
    """What is fitted on of the picture at a path, given its bytes."""
    depth16: tuple[int, int] | None = None
    """The range of 16-bit images, where ``prepared`` has scaled them; else it is found in the images."""
    rejected: tuple[RejectedFile, ...] = ()
    """What lies among them and cannot be used."""
    notes: tuple[str, ...] = ()
    """What a person should know of the rest, a sentence each."""
    chosen_by_hand: bool = True
    """Whether somebody said which they are; else none may look like a mask."""


def pictures_of(source: Source) -> Pictures:
    """The normal images of a source that no detector is judged by. Raises InputError where it has none."""
    listed = source.listing()
    entries = source.fit_entries() if isinstance(source, LabelledSource) else listed.entries
    return Pictures(
        tuple(entry.path for entry in entries),
        source.read,
        lambda _, data: decode(data, source.max_megapixels),
        rejected=tuple(strays_of(listed)),
        notes=tuple(formats_note(listed.other_formats)),
        chosen_by_hand=source.chosen_by_hand,
    )


class Label(NamedTuple):
    """What is known of a test image, with its mask at the detector's size."""

    sha256: str
    """Of the image's file."""
    mask: Mask
    is_deep: bool
    """Whether the image has 16 bits."""


@dataclass(frozen=True)
class TestSet:
    """The test images of one category, in the order of their paths, read when they are asked for."""

    __test__ = False

    category: str
    images: tuple[TestImage, ...]
    read: Callable[[str], bytes]
    depth16: tuple[int, int] | None = None
    """The range of 16-bit images, as that of the detector that is judged."""
    kept: BoundedCache[Pixels] | None = field(default=None, repr=False, compare=False)
    """Prepared images, where they are kept."""

    def keeping_images(self) -> "TestSet":
        """The same for several passes: what it prepares is kept as long as it lives, up to a bound."""
        return replace(self, kept=BoundedCache(CACHE_BYTES, lambda pixels: pixels.nbytes))

    def image(self, image: TestImage, side: int) -> Pixels:
        """The whole image resized to (side, side, 3). Raises InputError where it cannot be used."""

        def prepared() -> Pixels:
            return _explained(lambda: square(decode(self._bytes(image.path)), side, self.depth16), image.path)

        return self.kept.get((image.path, side, self.depth16), prepared) if self.kept else prepared()

    def truth(self, image: TestImage, side: int) -> Label:
        """The image's label; its mask at (side, side) is all False for a normal image.

        Raises InputError for an image or mask that cannot be used, an anomalous image without mask, and a
        mask that does not fit its image: of another size, empty, or not empty though the image is normal.
        """
        data = self._bytes(image.path)
        pixels = _explained(lambda: decode(data), image.path)
        digest, is_deep = sha256(data).hexdigest(), pixels.dtype != np.uint8
        if image.mask is None:
            if image.anomalous and image.paired:
                raise InputError(f"{image.path} is anomalous and has no mask; add the mask")
            return Label(digest, np.zeros((side, side), np.bool_), is_deep)
        mask_data = self._bytes(image.mask)
        mask = _explained(lambda: read_mask(mask_data), image.mask)
        if mask.shape != pixels.shape[:2]:
            raise InputError(
                f"{image.mask} is {_size(mask)} pixels, its image {image.path} {_size(pixels)}; one size is "
                f"expected{turned_apart(data, mask_data)}"
            )
        if mask.any() != image.anomalous:
            found, label = ("marks pixels", "normal") if mask.any() else ("is empty", "anomalous")
            raise InputError(
                f"{image.mask} {found}, and its image {image.path} is {label}; correct one of them"
            )
        return Label(digest, resized_mask(mask, side), is_deep)

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
    """Normal images at (side, side), in batches; 16 bits are scaled by the range of all of them.

    A file that cannot be used is an InputError or, where ``on_bad_image`` is ``skip``, left out.
    """

    def __init__(
        self,
        pictures: Pictures,
        side: int,
        progress: Progress | None = None,
        *,
        on_bad_image: OnBadImage = "fail",
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._pictures, self._side = pictures, side
        self._cache: BoundedCache[Pixels] = BoundedCache(cache_bytes, lambda pixels: pixels.nbytes)
        self.paths: list[str] = []
        self.sha256s: list[str] = []
        self.rejected: list[RejectedFile] = [*pictures.rejected]
        more_pages: list[str] = []
        depths: list[Levels | None] = []
        for number, path in enumerate(pictures.paths, 1):
            try:
                data = pictures.read(path)
                if is_marked(data):
                    self.rejected.append(RejectedFile(path=path, reason=OURS))
                    continue
                depths.append(self._look(path, data))
            except (UnusableImage, OSError) as error:
                if on_bad_image == "fail":
                    raise InputError(
                        f"{path}: {error}; repair or remove it, or leave it out by --on-bad-image skip"
                    ) from error
                self.rejected.append(RejectedFile(path=path, reason=str(error)))
            else:
                self.paths.append(path)
                self.sha256s.append(sha256(data).hexdigest())
                if has_more_pages(data):
                    more_pages.append(path)
            if progress:
                progress(number, len(pictures.paths))
        self.notes = [*pictures.notes, *pages_note(more_pages)]
        if not self.paths:
            first = (
                f"; the first: {self.rejected[0].path}: {self.rejected[0].reason}" if self.rejected else ""
            )
            raise InputError(f"none of the {len(pictures.paths)} normal images can be used{first}")
        depth = depth_range(depths)
        self.depth16 = depth.range if depth else pictures.depth16

    def __len__(self) -> int:
        return len(self.paths)

    def batches(self, size: int) -> Iterator[Tensor]:
        """The images in order, (B, 3, side, side) float32 in [0, 1]; the last batch may be smaller."""
        for first in range(0, len(self.paths), size):
            yield to_tensor([self._image(path) for path in self.paths[first : first + size]])

    def some(self, most: int) -> list[Pixels]:
        """At most ``most`` of the images, evenly spread: (side, side, 3) uint8."""
        return [self._image(path) for path in evenly(self.paths, most)]

    def _look(self, path: str, data: bytes) -> Levels | None:
        """Decode an image, and keep it as prepared unless it has 16 bits, whose range is not known yet."""
        pixels = self._pictures.prepared(path, data)
        if not self._pictures.chosen_by_hand and looks_like_a_mask(pixels):
            require_no_mask([path])
        if found := levels(pixels):
            return found
        self._cache.get(path, lambda: square(pixels, self._side))
        return None

    def _image(self, path: str) -> Pixels:
        return self._cache.get(path, lambda: self._prepared(path, self._pictures.read(path)))

    def _prepared(self, path: str, data: bytes) -> Pixels:
        return square(self._pictures.prepared(path, data), self._side, self.depth16)


def to_tensor(images: Sequence[Pixels]) -> Tensor:
    """Images (H, W, 3) uint8 as (B, 3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous().float() / 255


def square(pixels: Decoded, side: int, depth16: tuple[int, int] | None = None) -> Pixels:
    """The whole image resized to (side, side, 3). Raises UnusableImage for 16 bits without their range."""
    if pixels.dtype != np.uint8 and depth16 is None:
        raise UnusableImage(TOO_DEEP)
    return prepare(pixels, Preparation(size=(side, side), resize="whole", channels=3, depth16=depth16))


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
