"""The images of a training, in memory, and the batches that are drawn from them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from synthgen.diffusion.training.settings import TrainingSettings
from synthgen.errors import InputError
from synthgen.images.decode import decode
from synthgen.images.pixels import Pixels
from synthgen.images.prepare import prepare
from synthgen.runtime.progress import Progress
from synthgen.sources.base import Source
from synthgen.sources.records import RejectedFile
from synthgen.sources.survey import Survey, survey
from synthgen.streams import Stream

LEAST_IMAGES = 8
MOST_BYTES = 16 * 2**30

Classes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainingImages:
    """Prepared images (N, H, W, C) uint8 with their categories."""

    pixels: Pixels
    classes: Classes
    """(N,) position of each image's category in ``categories``."""
    categories: tuple[str, ...]
    sha256s: tuple[str, ...]
    rejected: tuple[RejectedFile, ...]
    """The source's files that cannot be used."""
    notes: tuple[str, ...] = ()
    """What a person should know of its other files, a sentence each."""

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return int(self.pixels.shape[3])

    def batch(self, stream: Stream, settings: TrainingSettings, count: int) -> tuple[Pixels, Classes]:
        """Draw ``count`` views: images (B, S, S, C) uint8, and classes (B,).

        Every category is drawn equally often, however many images it has.
        """
        views, classes = [], []
        for _ in range(count):
            category = stream.integer(0, len(self.categories) - 1)
            members = self._members[category]
            views.append(_view(self.pixels[members[stream.integer(0, len(members) - 1)]], stream, settings))
            classes.append(category)
        return np.stack(views), np.array(classes)

    @cached_property
    def _members(self) -> list[npt.NDArray[np.intp]]:
        """Of each category, the positions of its images."""
        return [np.flatnonzero(self.classes == number) for number in range(len(self.categories))]


def read_images(
    source: Source, settings: TrainingSettings, progress: Progress | None = None
) -> TrainingImages:
    """Read the fit images of a source; the held-out ones stay unseen, for judging.

    Raises InputError for fewer than 8 images, and for more than 16 GiB of them.
    """
    size = (settings.size, settings.size) if settings.view == "image" else settings.image_size
    found = survey(source, size, "whole", "skip", progress)
    fit = [image for image in found.images if image.split == "train"]
    if len(fit) < LEAST_IMAGES:
        raise InputError(
            f"the source has {len(fit)} images to train on ({len(found.images)} usable, of which "
            f"{len(found.images) - len(fit)} are held out for judging, and {len(found.rejected)} that cannot "
            f"be used); training needs {LEAST_IMAGES} or more, so add images"
        )
    total = len(fit) * found.preparation.channels * size[0] * size[1]
    if total > MOST_BYTES:
        raise InputError(
            f"the {len(fit)} images would take {total / 2**30:.1f} GiB at {size[1]} x {size[0]} pixels, and "
            f"at most {MOST_BYTES / 2**30:.0f} are kept in memory; choose fewer categories or a smaller size"
        )
    categories = tuple(sorted({image.category for image in fit}))
    return TrainingImages(
        pixels=_prepared(source, [image.path for image in fit], found),
        classes=np.array([categories.index(image.category) for image in fit]),
        categories=categories,
        sha256s=tuple(image.sha256 for image in fit),
        rejected=tuple(found.rejected),
        notes=tuple(found.notes),
    )


def _prepared(source: Source, paths: Sequence[str], found: Survey) -> Pixels:
    height, width = found.preparation.size
    pixels = np.empty((len(paths), height, width, found.preparation.channels), np.uint8)

    def put(number: int) -> None:
        pixels[number] = prepare(decode(source.read(paths[number]), source.max_megapixels), found.preparation)

    with ThreadPoolExecutor() as threads:
        list(threads.map(put, range(len(paths))))
    return pixels


def _view(image: Pixels, stream: Stream, settings: TrainingSettings) -> Pixels:
    """What the network sees of one image: a patch, or the whole image moved; perhaps mirrored."""
    size, shift = settings.size, settings.shift
    if settings.view == "image" and shift:
        image = np.pad(image, ((shift, shift), (shift, shift), (0, 0)), "reflect")
    top, left = (stream.integer(0, length - size) for length in image.shape[:2])
    view = image[top : top + size, left : left + size]
    if settings.flips in ("horizontal", "both") and stream.boolean(0.5):
        view = view[:, ::-1]
    if settings.flips in ("vertical", "both") and stream.boolean(0.5):
        view = view[::-1]
    return view
