"""How far pictures lie from the normal training images, without a detector.

The distance of a picture is that to the nearest training image of its category, in one of two spaces:

pixel    root mean square over pixels and channels of the difference, in grey levels;
feature  ResNet-18 on the picture resized to 256 x 256: stages 1 to 3, each averaged in 4 x 4 cells, each cell
         divided by its length; root mean square of the Euclidean distances of the 48 cells, in [0, sqrt 2].

A model of patches is compared with random patches of the training images, mirrored as in its training. Those
of one image overlap, which makes the distances from one to another small.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from synthgen.detectors.common.backbone import Backbone
from synthgen.diffusion.model_files import ModelFacts
from synthgen.errors import InputError
from synthgen.images.decode import decode
from synthgen.images.pixels import Pixels
from synthgen.images.prepare import prepare
from synthgen.sources.base import Source
from synthgen.sources.survey import survey
from synthgen.streams import Stream
from synthgen.synthesizers.common.diffusion import resized

PATCHES = 2048
"""Patches of the training images, and as many of the held-out ones, over all categories together."""
STAGES = (1, 2, 3)
CELLS = 4
FEATURE_SIDE = 256
FEATURE_BATCH = 16
CHUNK = 256

Vectors: TypeAlias = npt.NDArray[np.float32]
Distances: TypeAlias = npt.NDArray[np.float64]
Space: TypeAlias = Callable[[Pixels], Vectors]
"""Pictures (N, H, W, C) as vectors (N, D) whose Euclidean distance is the one that is meant."""
Pictures: TypeAlias = Mapping[str, Pixels]
"""(N, S, S, C) uint8 of each category."""


class Rise(NamedTuple):
    """How paired distances differ: the mean with its standard error, and the share of pairs that rise."""

    mean: float
    error: float
    share: float


class Measured(NamedTuple):
    """Distances to the nearest training image, of each category."""

    training: dict[str, Distances]
    """Of each training image to the nearest other one."""
    held_out: dict[str, Distances]
    samples: dict[float, dict[str, Distances]]
    """For each strength."""


def nearest_distances(queries: Vectors, references: Vectors, *, without_itself: bool = False) -> Distances:
    """Euclidean distance of each query (Q, D) to the nearest of the references (N, D).

    ``without_itself``: the queries are the references, and each looks for the nearest other.
    """
    wide = queries.astype(np.float64)
    squares = np.square(wide).sum(axis=1)
    nearest = np.full(len(queries), np.inf)
    for first in range(0, len(references), CHUNK):
        some = references[first : first + CHUNK].astype(np.float64)
        squared = squares[:, None] + np.square(some).sum(axis=1) - 2 * wide @ some.T
        if without_itself:
            own = np.arange(len(some))
            squared[first + own, own] = np.inf
        nearest = np.minimum(nearest, squared.min(axis=1))
    return np.sqrt(np.maximum(nearest, 0))


def mean_and_error(values: Distances) -> tuple[float, float]:
    """The mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def paired_rise(before: Distances, after: Distances) -> Rise:
    """How the distances of the same streams change from one strength to the next."""
    return Rise(*mean_and_error(after - before), float((after > before).mean()))


def share_nearer(distances: Distances, normal: Distances, share: float) -> float:
    """Share of the distances below that quantile of the normal ones: about ``share`` if they are alike."""
    return float((distances < np.quantile(normal, share)).mean())


def pixel_space(pictures: Pixels) -> Vectors:
    """The grey levels, divided by the root of how many there are."""
    flat = pictures.reshape(len(pictures), -1)
    return flat.astype(np.float32) / np.float32(np.sqrt(flat.shape[1]))


def feature_space(backbone: Backbone) -> Space:
    """The cells of a backbone's stages, each of unit length divided by the root of how many there are."""

    def cells(pictures: Pixels) -> Vectors:
        large = np.stack([resized(picture, FEATURE_SIDE, FEATURE_SIDE) for picture in pictures])
        images = torch.from_numpy(large).permute(0, 3, 1, 2).expand(-1, 3, -1, -1).float() / 255
        images = images.contiguous(memory_format=torch.channels_last)
        parts = []
        for features in backbone(images).values():
            pooled = torch.nn.functional.adaptive_avg_pool2d(features, CELLS)
            parts.append(torch.nn.functional.normalize(pooled, dim=1).flatten(1))
        return (torch.cat(parts, dim=1) / np.sqrt(len(parts) * CELLS**2)).numpy()

    def vectors(pictures: Pixels) -> Vectors:
        with torch.inference_mode():
            starts = range(0, len(pictures), FEATURE_BATCH)
            return np.concatenate([cells(pictures[start : start + FEATURE_BATCH]) for start in starts])

    return vectors


def measure(
    space: Space, training: Pictures, held_out: Pictures, samples: Mapping[float, Pictures]
) -> Measured:
    """Distances of all that is compared, in one space."""
    references = {category: space(pictures) for category, pictures in training.items()}

    def distances(pictures: Pictures) -> dict[str, Distances]:
        return {
            category: nearest_distances(space(some), references[category])
            for category, some in pictures.items()
        }

    return Measured(
        {
            category: nearest_distances(some, some, without_itself=True)
            for category, some in references.items()
        },
        distances(held_out),
        {strength: distances(pictures) for strength, pictures in samples.items()},
    )


def normal_pictures(source: Source, facts: ModelFacts, seed: int) -> tuple[Pictures, Pictures]:
    """What the model's training saw, and the same of the held-out images, where the source holds some out.

    Raises InputError where the source's training images differ from the model's in number or category.
    """
    found = survey(source, facts.image_size, "whole", "skip")
    own = [image for image in found.images if image.split == "train"]
    categories = sorted({image.category for image in own})
    if len(own) != facts.trained_on or (facts.conditional and categories != facts.categories):
        raise InputError(
            f"the source has {len(own)} images of {', '.join(categories)} to train on, and the model was "
            f"trained on {facts.trained_on} of {', '.join(facts.categories)}; give the source of its training"
        )

    def seen(split: str, category: str) -> Pixels:
        images = [
            prepare(decode(source.read(image.path)), found.preparation)
            for image in found.images
            if (image.split, image.category) == (split, category)
        ]
        if facts.view == "image":
            return np.array(images)
        stream = Stream(seed, 0, f"patches/{split}/{category}")
        return patches(images, facts, PATCHES // len(categories), stream)

    training, held_out = (
        {category: seen(split, category) for category in categories} for split in ("train", "held-out")
    )
    return training, {category: pictures for category, pictures in held_out.items() if len(pictures)}


def patches(images: Sequence[Pixels], facts: ModelFacts, count: int, stream: Stream) -> Pixels:
    """Random patches (count, S, S, C) of images (H, W, C), mirrored where the training mirrored them."""
    flips, size = facts.training["flips"], facts.size
    cut = []
    for _ in range(count if images else 0):
        image = images[stream.integer(0, len(images) - 1)]
        top, left = (stream.integer(0, length - size) for length in image.shape[:2])
        patch = image[top : top + size, left : left + size]
        if flips in ("horizontal", "both") and stream.boolean(0.5):
            patch = patch[:, ::-1]
        if flips in ("vertical", "both") and stream.boolean(0.5):
            patch = patch[::-1]
        cut.append(patch)
    return np.array(cut)
