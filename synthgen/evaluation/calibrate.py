"""Calibrating a fitted detector: from which score on a product is NG, and which defects it then finds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from synthgen.errors import InputError
from synthgen.evaluation.calibration import Calibration, record_sha256, write_calibration
from synthgen.evaluation.conformal import (
    Threshold,
    conformal_threshold,
    promise_notes,
    require_false_alarms,
)
from synthgen.evaluation.fit import load_detector, read_fitted_on, read_normals
from synthgen.evaluation.held_out import StoredSamples, held_out_pictures, is_shards, of_depth, unseen
from synthgen.evaluation.learning import MOST_IMAGES, PRODUCT
from synthgen.evaluation.protocol import BATCH, predict
from synthgen.evaluation.recall import JudgedSample, recalls
from synthgen.evaluation.test_set import NormalPictures, Pictures
from synthgen.images.pixels import Pixels
from synthgen.pipeline.anomaly_source import PlanAnomalies, anomalies_on
from synthgen.recipe.files import load_recipe
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.progress import Stages, silent
from synthgen.sample import Facts
from synthgen.sources.base import Source
from synthgen.sources.survey import OnBadImage
from synthgen.storage.place import local_path
from synthgen.streams import Stream

if TYPE_CHECKING:
    from synthgen.detectors.base import Detector

SAMPLES = 256
"""Samples that a recipe makes of the held-out images."""


def calibrate(
    detector: "Detector | str | Path",
    normal: str | Path | Source,
    anomalies: str | Path | Recipe | None = None,
    false_alarms: float = 0.01,
    *,
    categories: Sequence[str] | None = None,
    on_bad_image: OnBadImage = "fail",
    device: str = "auto",
    progress: Stages = silent,
) -> Calibration:
    """Choose the threshold of a fitted detector, and measure which synthetic defects it finds with it.

    ``detector`` is a fitted one or its directory, where the calibration is then saved for `score`, over one
    that is there. ``normal`` is where normal images lie, as for `fit_detector`, or a directory of shards for
    the held-out ones of its plan; those that were fitted on are left out. The threshold is chosen so that at
    most the share ``false_alarms`` of good products is called NG, or what so few images can promise, which a
    note says. ``anomalies`` is a recipe, of which 256 samples are made of these images, or a directory of
    shards, for its held-out samples; without it there is a threshold alone.

    Raises InputError for what cannot be used and where no normal image remains, RunError where writing fails
    and for scores that are not finite.
    """
    require_false_alarms(false_alarms)
    directory = local_path(detector) if isinstance(detector, str | Path) else None
    fitted = load_detector(detector, device) if isinstance(detector, str | Path) else detector
    fitted_on = read_fitted_on(directory) if directory else None
    asked = _asked(anomalies, categories, fitted_on or frozenset())
    source = normal if isinstance(normal, Source) else str(normal)
    pictures, notes = unseen(held_out_pictures(source, categories), fitted_on, _place(source), progress)
    normals = _as_seen_by(fitted, pictures, on_bad_image, progress)
    notes += [*normals.notes, *_rejected_note(normals)]
    category = categories[0] if categories and len(categories) == 1 else PRODUCT
    defects = _made(normals, asked, category, progress) if isinstance(asked, Recipe) else asked

    threshold = conformal_threshold(_scores(fitted, normals, progress), false_alarms)
    judged = _judged(fitted, defects, threshold, progress) if defects else []
    if defects and len(judged) < len(defects):
        notes.append(f"in {len(defects) - len(judged)} of {len(defects)} samples no defect could be made")
    found = Calibration(
        detector_sha256=record_sha256(directory) if directory else None,
        asked=false_alarms,
        threshold=threshold,
        images_sha256=sorted(normals.sha256s),
        anomalies=defects.name if defects else None,
        recalls=recalls(judged) if judged else [],
        notes=[*notes, *promise_notes(threshold, false_alarms)],
    )
    if directory:
        write_calibration(found, directory)
    return found


class _Defects(Protocol):
    """Samples with defects, made of images that the detector was not fitted on."""

    @property
    def name(self) -> str:
        """Of the recipe or directory."""

    def __len__(self) -> int:
        """How many there are."""

    def samples(self, side: int) -> Iterator[tuple[Pixels, Facts]]:
        """Each sample's image (side, side, 3) uint8, and its facts."""


@dataclass(frozen=True)
class _MadeSamples:
    name: str
    anomalies: PlanAnomalies

    def __len__(self) -> int:
        return SAMPLES

    def samples(self, side: int) -> Iterator[tuple[Pixels, Facts]]:
        for sample in self.anomalies.samples(SAMPLES):
            # A grey image has the same value in all three channels.
            yield np.broadcast_to(sample.image, (side, side, 3)), sample.facts


def _asked(
    anomalies: str | Path | Recipe | None, categories: Sequence[str] | None, fitted_on: frozenset[str]
) -> Recipe | StoredSamples | None:
    """The recipe, or the samples in shards. Raises InputError before any image is read."""
    if anomalies is None or isinstance(anomalies, Recipe):
        return anomalies
    if is_shards(str(anomalies)):
        return StoredSamples.at(str(anomalies), categories, fitted_on)
    return load_recipe(anomalies)


def _made(normals: NormalPictures, recipe: Recipe, category: str, progress: Stages) -> _MadeSamples:
    """What the recipe makes of the images, with other numbers than for any detector that learned from it."""
    seed = Stream(recipe.seed, 0, "anomalies to calibrate by").integer(0, 2**53)
    some = normals.some(MOST_IMAGES)
    return _MadeSamples(recipe.name, anomalies_on(some, recipe, seed, category, progress))


def _place(source: str | Source) -> str:
    return source if isinstance(source, str) else source.location or source.kind


def _as_seen_by(
    detector: "Detector", pictures: Pictures, on_bad_image: OnBadImage, progress: Stages
) -> NormalPictures:
    """The images at the detector's size; 16 bits are scaled as for fitting, not by the range of these."""
    usable = of_depth(pictures, detector.depth16)
    normals = read_normals(usable, detector, "held-out images", progress, on_bad_image=on_bad_image)
    normals.depth16 = detector.depth16
    return normals


def _rejected_note(normals: NormalPictures) -> list[str]:
    if not normals.rejected:
        return []
    first = f"{normals.rejected[0].path}: {normals.rejected[0].reason}"
    return [f"{len(normals.rejected)} normal images could not be used, the first: {first}"]


def _scores(detector: "Detector", normals: NormalPictures, progress: Stages) -> npt.NDArray[np.float64]:
    """(n,)"""
    scores: list[float] = []
    with progress("scoring held-out images", "images") as report:
        for batch in normals.batches(BATCH):
            scores += detector.predict(batch)[0].tolist()
            report(len(scores), len(normals))
    return np.array(scores)


def _judged(
    detector: "Detector", defects: _Defects, threshold: Threshold, progress: Stages
) -> list[JudgedSample]:
    """All samples that show a defect. Raises InputError where there is none."""
    judged: list[JudgedSample] = []
    samples = defects.samples(detector.settings.image_size)
    with progress("scoring defects", "samples") as report:
        while batch := list(islice(samples, BATCH)):
            predictions = predict(detector, [image for image, _ in batch])
            for (_, facts), (score, _) in zip(batch, predictions, strict=True):
                if facts.label:
                    ng = threshold.is_ng(score)
                    judged.append(
                        JudgedSample(facts.method, facts.area, facts.contrast, facts.source_sha256, ng)
                    )
            report(len(judged), len(defects))
    if not judged:
        raise InputError(
            f"{defects.name}: no defect could be made in any of {len(defects)} samples; `synthgen preview` "
            "shows what a recipe makes"
        )
    return judged
