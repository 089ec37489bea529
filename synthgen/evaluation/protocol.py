"""How a detector is judged: what is read of a test set, when, and which metrics come of it.

Fitting sees normal training images alone. Of the test set only the images are shown to the fitted detector,
and its labels only to the metrics; nothing is chosen by them, but for F1-max, which is called an oracle's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from synthgen.errors import InputError, RunError
from synthgen.evaluation.metrics.bootstrap import Estimate
from synthgen.evaluation.metrics.pixels import LabelledMaps
from synthgen.evaluation.metrics.summary import image_metrics, pixel_metrics
from synthgen.evaluation.test_set import TestSet, to_tensor
from synthgen.images.pixels import Mask, Pixels
from synthgen.runtime.progress import Progress
from synthgen.streams import Stream

BATCH = 8
"""Images scored together, and decoded images kept at a time."""

MOST_BYTES = 8 * 2**30
BYTES_A_PIXEL = 9
"""Its mask, its score, and the score once more in the ranking."""

Map = npt.NDArray[np.float32]


class Predictor(Protocol):
    """What is needed of a fitted detector."""

    def predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B,) and maps (B, H, W), on the CPU, of images (B, 3, H, W) float32 in [0, 1]."""


@dataclass(frozen=True)
class Truth:
    """The labels of a test set at the detector's image size."""

    anomalous: npt.NDArray[np.bool_]
    """(N,)"""
    masks: tuple[Mask | None, ...]
    """(side, side) each; None for an image without labels of its pixels."""
    sha256s: tuple[str, ...]
    """Of the images' files."""


@dataclass(frozen=True)
class Predictions:
    """What a detector says of the images of a test set."""

    scores: npt.NDArray[np.float64]
    """(N,)"""
    maps: tuple[Map, ...]
    """(side, side) each."""


@dataclass(frozen=True)
class Measured:
    """All metrics by name; None where the test set has nothing to measure it by."""

    image: dict[str, Estimate] | None
    """None where all images are normal, or all anomalous."""
    pixel: dict[str, Estimate | None] | None
    """None where no pixel with a label is anomalous, or none normal."""


def read_truth(test_set: TestSet, side: int, progress: Progress | None = None) -> Truth:
    """Read every mask, and look whether every image can be used, before time is spent on a detector.

    Raises InputError for what ``TestSet.truth`` does, where no image is anomalous, and for so many images
    that their maps would take more than 8 GiB.
    """
    if not any(image.anomalous for image in test_set.images):
        raise InputError(
            f"the test set of {test_set.category} has {len(test_set.images)} images, and none is anomalous; "
            "nothing can be measured"
        )
    most = MOST_BYTES // (BYTES_A_PIXEL * side**2)
    if len(test_set.images) > most:
        raise InputError(
            f"the test set of {test_set.category} has {len(test_set.images)} images, and the maps of at most "
            f"{most} are kept in memory at {side} x {side}; choose a smaller image_size, or fewer images"
        )
    masks: list[Mask | None] = []
    sha256s: list[str] = []
    for number, image in enumerate(test_set.images, 1):
        sha256, mask = test_set.truth(image, side)
        sha256s.append(sha256)
        masks.append(mask if image.paired else None)
        if progress:
            progress(number, len(test_set.images))
    return Truth(
        np.array([image.anomalous for image in test_set.images], np.bool_), tuple(masks), tuple(sha256s)
    )


def predict_all(
    detector: Predictor, test_set: TestSet, side: int, progress: Progress | None = None
) -> Predictions:
    """Score every image of a test set. Raises RunError for scores that are not finite."""
    scores: list[float] = []
    maps: list[Map] = []
    for first in range(0, len(test_set.images), BATCH):
        images = test_set.images[first : first + BATCH]
        pixels = [test_set.image(image, side) for image in images]
        for image, (score, scored) in zip(images, predict(detector, pixels), strict=True):
            require_finite(score, scored, image.path)
            scores.append(score)
            maps.append(scored)
        if progress:
            progress(len(scores), len(test_set.images))
    return Predictions(np.array(scores), tuple(maps))


def predict(detector: Predictor, images: Sequence[Pixels]) -> list[tuple[float, Map]]:
    """Score and map (H, W) of each image (H, W, 3) uint8."""
    scores, maps = detector.predict(to_tensor(images))
    return [(float(score), scored.numpy()) for score, scored in zip(scores, maps, strict=True)]


def require_finite(score: float, scored: Map, path: str) -> None:
    """Raise RunError where a detector's answer is no number."""
    if not (np.isfinite(score) and np.isfinite(scored).all()):
        raise RunError(f"{path}: the detector's scores are NaN or infinite; fit it anew, or on other images")


def measure(truth: Truth, predictions: Predictions) -> Measured:
    """All metrics with their bootstrap intervals; the same images are drawn for every detector and seed."""
    image = None
    if truth.anomalous.any() and not truth.anomalous.all():
        image = image_metrics(predictions.scores, truth.anomalous, Stream(0, 0, "bootstrap/images"))
    pairs = [
        (scored, mask) for scored, mask in zip(predictions.maps, truth.masks, strict=True) if mask is not None
    ]
    anomalous = sum(int(mask.sum()) for _, mask in pairs)
    if anomalous in (0, sum(mask.size for _, mask in pairs)):
        return Measured(image, None)
    labelled = LabelledMaps([scored for scored, _ in pairs], [mask for _, mask in pairs])
    return Measured(image, pixel_metrics(labelled, Stream(0, 0, "bootstrap/pixels")))
