"""Every method and how to test it: one row each."""

from functools import cache
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from synthgen.detectors.base import Detector, State
from synthgen.detectors.checkpoint import Checkpoint
from synthgen.runtime.progress import Progress
from tests.detectors.images import Images, Spots, detector, no_progress, normal_images, with_a_spot
from tests.detectors.teachers import thin_teacher_file


class Method(NamedTuple):
    """What the contract's tests need to know of a method."""

    settings: dict[str, object]
    """Those that make it quick on small images."""
    random: bool = True
    """Whether what it learns depends on the seed."""
    far_is_anomalous: bool = True
    """Whether what is far from all training images must score higher than one of them."""


METHODS = {
    "padim": Method({"channels": 20}),
    "patchcore": Method({}),
    # The discriminators of these know nothing of what is far from all that they have seen.
    "simplenet": Method({"schedule": "cpu", "hidden": 16}, far_is_anomalous=False),
    "segmenter": Method({"samples": 8, "steps": 30, "batch": 8, "width": 16}, far_is_anomalous=False),
    "realnet": Method({"steps": 25, "samples": 8, "batch": 4}, far_is_anomalous=False),
    "cutpaste": Method({"schedule": "cpu", "steps": 4, "batch": 1, "patch": 48}),
    # With the thin networks of the tests.
    "efficientad": Method({"teacher": thin_teacher_file(), "steps": 4}),
    "efficientad-small": Method({"steps": 4}),
    "pixel_statistics": Method({}, random=False),
}
OWN = [name for name in METHODS if name != "pixel_statistics"]
"""The methods that come with synthgen, in the order of their table."""


def unfitted(method: str, **settings: object) -> Detector:
    """A detector with its row's settings."""
    return detector(method, **{**METHODS[method].settings, **settings})


def fitted(method: str, seed: int = 0, images: Tensor | None = None) -> Detector:
    """The same, fitted on a few images."""
    result = unfitted(method)
    fit(result, Images(normal_images(6) if images is None else images), seed)
    return result


def fit(
    detector: Detector,
    images: Images,
    seed: int = 0,
    progress: Progress = no_progress,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Fit a detector on images, and on samples with spots where it learns from such."""
    anomalies = Spots(normal_images(6)) if detector.learns_from_anomalies else None
    detector.fit(images, anomalies, seed, progress, checkpoint)


@cache
def learned(method: str) -> State:
    """What the method learns of the usual images with the seed 0; most tests ask for nothing else."""
    return fitted(method).state


def ready(method: str) -> Detector:
    """A detector that was fitted on the usual images."""
    found = unfitted(method)
    found.restore(learned(method))
    return found


def looked_at() -> Tensor:
    """Two normal images and one with a spot."""
    return torch.cat([normal_images(2, seed=9), with_a_spot(normal_images(1, seed=9))])


def message(error: pytest.ExceptionInfo[Any]) -> str:
    """What an error says, in one line."""
    text = str(error.value)
    assert "\n" not in text
    return text
