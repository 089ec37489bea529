"""What each update sees: images, their locally changed copies, and which image each is."""

from dataclasses import dataclass
from hashlib import sha256

import torch
from torch import Tensor

from synthgen.errors import InputError
from synthgen.pipeline.anomaly_source import PlanAnomalies, images_tensor, require_masks
from synthgen.pipeline.freeze import freeze
from synthgen.plan.image_order import drawn_from
from synthgen.plan.plan import Plan
from synthgen.pretraining.settings import PretrainingSettings
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.progress import Stages
from synthgen.sources.base import Source
from synthgen.streams import Stream

LEAST_IMAGES = 8
"""Fewer say nothing of what makes an image unlike others."""
CACHE_BYTES = 2 * 2**30
"""Prepared images are kept up to this; of more some are read again."""


@dataclass(frozen=True)
class Batch:
    """Images of an update, or of a part of it; no file is in it twice."""

    images: Tensor
    """(B, 3, S, S) float32 in [0, 1]."""
    copies: Tensor | None
    """The same with a defect in each; None where nobody asks for them."""
    differs: Tensor
    """(B,) bool: whether the copy has one; where no defect could be made it is the image."""
    numbers: Tensor
    """(B,) int64: which images of the source these are."""


class PretrainingImages:
    """The images of a plan, each as often as any other, and the samples that are made of them."""

    def __init__(self, plan: Plan, device: str = "cpu") -> None:
        self.plan = plan
        used = drawn_from(plan)
        self.count = len(used)
        self.digest = sha256("".join(image.sha256 for image in used).encode()).hexdigest()
        self.distinct = len({image.sha256 for image in used})
        """How many there are if those of the same file count as one."""
        self._numbers = {image.sha256: number for number, image in enumerate(used)}
        self._anomalies = PlanAnomalies(plan, device, cache_bytes=CACHE_BYTES)

    def batch(self, number: int, settings: PretrainingSettings, part: int = 0) -> Batch:
        """One part of the update of this number, both from 0; copies where there is a term for them.

        What is left over of an epoch, too little for an update, is passed over.
        """
        epoch, position = divmod(number, self.count // settings.batch)
        count = settings.together
        first = epoch * self.count + position * settings.batch + part * count
        if settings.spd == "none":
            sha256s, pixels = zip(*self._anomalies.normals(count, first), strict=True)
            return Batch(images_tensor(pixels), None, torch.zeros(count, dtype=torch.bool), self._of(sha256s))
        samples = list(self._anomalies.samples(count, first))
        return Batch(
            images_tensor([sample.normal for sample in samples]),
            images_tensor([sample.image for sample in samples]),
            torch.tensor([sample.facts.label == 1 for sample in samples]),
            self._of([sample.facts.source_sha256 for sample in samples]),
        )

    def _of(self, sha256s: tuple[str, ...] | list[str]) -> Tensor:
        return torch.tensor([self._numbers[sha256] for sha256 in sha256s])


def read_images(
    source: Source, recipe: Recipe, settings: PretrainingSettings, progress: Stages, device: str = "cpu"
) -> PretrainingImages:
    """The fit images of a source, whole, of which ``recipe`` makes the copies; held-out ones stay unseen.

    The settings' seed decides all, that of the recipe nothing.
    Raises InputError as `freeze` and `PlanAnomalies` do, and for fewer than 8 images or fewer than a batch.
    """
    require_masks(recipe)
    own = recipe.model_copy(
        update={
            "source": source,
            "size": (settings.size, settings.size),
            "resize": "whole",
            "split": "train",
            "spread": "images",
            "normal_share": 0.0,
            "on_bad_image": "skip",
            "seed": Stream(settings.seed, 0, "pre-training").integer(0, 2**53),
        }
    )
    plan = freeze(own, progress)
    images = PretrainingImages(plan, device)
    _require_enough(images, settings.batch)
    return images


def _require_enough(images: PretrainingImages, batch: int) -> None:
    count = images.distinct
    if count >= max(LEAST_IMAGES, batch):
        return
    usable = len(images.plan.images)
    told = f"{usable} usable, of which {usable - images.count} are held out for judging"
    alike = "" if count == images.count else f", and {images.count - count} that are the same as others"
    needed = (
        f"pre-training needs {LEAST_IMAGES} or more, so add images"
        if count < LEAST_IMAGES
        else f"a batch of {batch} needs as many; give {count} or less, or add images"
    )
    raise InputError(f"the source has {count} images to train on ({told}{alike}); {needed}")
