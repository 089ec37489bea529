"""The trials of a tuning: samples of held-out normal images at one strength after another, scored."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from synthgen.engines.run import MAX_REJECTED_SHARE
from synthgen.evaluation.conformal import Threshold
from synthgen.evaluation.test_set import to_tensor
from synthgen.images.pixels import Pixels
from synthgen.pipeline.image_store import PlanLibrary, Shelf
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.runtime.progress import Stages
from synthgen.sample import Sample
from synthgen.validation.tuned_field import TunedField
from synthgen.validation.tuned_search import Trial

if TYPE_CHECKING:
    from torch import Tensor

    from synthgen.detectors.base import Detector

SAMPLES = 256
"""Of each strength that is tried, unless fewer show that it is far off."""
BATCH = 32
"""Samples after which it is looked whether they do, and normal images that are read at a time."""


@dataclass(frozen=True)
class Normals:
    """The normal images of a plan on one side of its split, as samples are made of them."""

    library: PlanLibrary
    sha256s: tuple[str, ...]

    @classmethod
    def of(cls, plan: Plan, split: str) -> "Normals":
        """Those on the side ``train`` or ``held-out``."""
        return cls(PlanLibrary(plan), tuple(each.sha256 for each in plan.images if each.split == split))

    def __len__(self) -> int:
        return len(self.sha256s)

    def batches(self, size: int) -> "Iterator[Tensor]":
        """All images in order, (B, 3, H, W) float32 in [0, 1]."""
        for first in range(0, len(self), size):
            some = self.sha256s[first : first + size]
            yield as_tensor([self.library.scene(each).image for each in some])


@dataclass
class Trials:
    """Tries strengths on the same images with the same random numbers.

    So the same index draws the same defect at every strength, until one of its attempts is rejected.
    """

    moved: TunedField
    plan: Plan
    """Of the recipe, for samples of held-out images at the detector's size."""
    detector: "Detector"
    threshold: Threshold
    target: float
    device: str
    progress: Stages
    reasons: Counter[str] = field(default_factory=Counter)
    """Why samples show no defect, over all trials."""
    _shelf: Shelf = field(default_factory=Shelf)

    def at(self, factor: float) -> Trial:
        """Try a strength; ends early where it is clearly too strong or weak, or too few defects are seen."""
        trial = Trial(factor, self.moved.value(factor), 0, (), 0)
        pipeline = Pipeline(self._plan_at(factor), self.device, shelf=self._shelf)
        with self.progress(f"trying {self.moved.name} {trial.value:.3g}", "samples") as report:
            for first in range(0, SAMPLES, BATCH):
                samples = list(pipeline.samples(range(first, min(first + BATCH, SAMPLES))))
                trial = self._with(trial, samples)
                report(first + len(samples), SAMPLES)
                if trial.rejected > MAX_REJECTED_SHARE * SAMPLES or (
                    trial.usable and trial.is_far_from(self.target)
                ):
                    break
        return trial

    def _plan_at(self, factor: float) -> Plan:
        synthesizers = self.moved.at(factor).synthesizers
        recipe = self.plan.recipe.model_copy(update={"synthesizers": synthesizers})
        return self.plan.model_copy(update={"recipe": recipe})

    def _with(self, trial: Trial, samples: Sequence[Sample]) -> Trial:
        shown = [sample for sample in samples if sample.facts.label]
        self.reasons.update(sample.facts.reason for sample in samples if not sample.facts.label)
        scores = self.detector.predict(as_tensor([each.image for each in shown]))[0].tolist() if shown else []
        return replace(
            trial,
            found=trial.found + sum(map(self.threshold.is_ng, scores)),
            images=(*trial.images, *(sample.facts.source_sha256 for sample in shown)),
            rejected=trial.rejected + len(samples) - len(shown),
        )


def as_tensor(images: Sequence[Pixels]) -> "Tensor":
    """Images (H, W, C) uint8 as (B, 3, H, W) float32; a grey one has the same value in all channels."""
    return to_tensor([np.broadcast_to(image, (*image.shape[:2], 3)) for image in images])
