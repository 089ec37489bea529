"""Outcomes of every entrant, seed by seed and on resampled test images, out of the cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from synthgen.evaluation.conformal import conformal_threshold
from synthgen.evaluation.metrics.clusters import cluster_times
from synthgen.images.pixels import Pixels
from synthgen.streams import Stream
from synthgen.validation.cell import Cell
from synthgen.validation.entrants import Entrant
from synthgen.validation.job import Job, real_times, set_name
from synthgen.validation.product import Product
from synthgen.validation.protocol import FALSE_ALARMS, LEARNER, LEAST_CLUSTERS
from synthgen.validation.real import RealImages
from synthgen.validation.report import OUTCOMES, Fault, Outcome
from synthgen.validation.resampling import (
    image_auroc,
    resampled_auroc,
    resampled_recall,
)
from synthgen.validation.sample_sets import kept
from synthgen.validation.samples import SampleSet
from synthgen.validation.statistics import Measured

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Measurements:
    """All that was measured."""

    job: Job
    entrants: Sequence[Entrant]
    seeds: int
    cells: Mapping[tuple[Entrant, int], Cell]
    product: Product
    real: RealImages | None
    real_faults: Sequence[Fault]

    @property
    def learned(self) -> list[Entrant]:
        """The recipes with the first learner: those that were asked for and those of every validation."""
        return [
            each
            for each in self.entrants
            if each.recipe and each.learner == LEARNER and each.role != "control"
        ]

    @property
    def asked(self) -> list[Entrant]:
        """Of the recipes with the first learner those that were asked for."""
        return [each for each in self.learned if each.role == "recipe"]

    @property
    def unlearned(self) -> list[Entrant]:
        """The references that are fitted on normal images alone."""
        return [each for each in self.entrants if not each.recipe]

    def of(self, entrant: Entrant) -> list[Cell]:
        """An entrant's cells, by seed."""
        return [self.cells[entrant, seed] for seed in range(self.seeds)]

    @property
    def false_alarms(self) -> float:
        """The rate that the held-out images support."""
        cell = next(iter(self.cells.values()))
        return conformal_threshold(cell.held_out, FALSE_ALARMS).false_alarms

    def sample_set(self, recipe: str) -> SampleSet:
        """The samples of a recipe that all detectors were judged on."""
        return kept(set_name(recipe), self.job.workspace)

    def origins(self, recipe: str) -> list[int]:
        """Which held-out image each of a recipe's samples that show a defect was made of."""
        of_pixels = {_digest(image): number for number, image in enumerate(self.product.held_out.images)}
        samples = self.sample_set(recipe)
        return [of_pixels[_digest(samples.normals[number])] for number in np.flatnonzero(samples.anomalous)]

    @cached_property
    def _real_times(self) -> Times:
        return real_times(self.job)

    def on_real(self, entrant: Entrant) -> dict[Outcome, Measured]:
        """Every outcome on the real test images that can be measured."""
        if self.real is None:
            return {}
        cells, anomalous, times = self.of(entrant), self.real.anomalous, self._real_times
        found = {
            "image_auroc": _aurocs([cell.real for cell in cells], anomalous, times),
            "recall": _stacked(
                [
                    (
                        float((cell.real[anomalous] > threshold_of(cell)).mean()),
                        resampled_recall(cell.real, anomalous, _above(threshold_of(cell)), times),
                    )
                    for cell in cells
                ]
            ),
        }
        for outcome in cells[0].real_pixels:
            pixels = [cell.real_pixels[outcome] for cell in cells]
            found[outcome] = _stacked([(each.value, each.replicates) for each in pixels])
        return {outcome: found[outcome] for outcome in OUTCOMES if outcome in found}

    def on_real_kind(self, entrant: Entrant, name: str, of_kind: Flags) -> Measured:
        """Image AUROC of some of the anomalous real images, (N,), beside all normal ones."""
        assert self.real is not None
        chosen = np.flatnonzero(of_kind | ~self.real.anomalous)
        anomalous = self.real.anomalous[chosen]
        parts = [self.real.parts[number] for number in chosen]
        times = cluster_times(parts, anomalous, Stream(0, 0, f"validation/real/{name}"))
        return _aurocs([cell.real[chosen] for cell in self.of(entrant)], anomalous, times)

    def on_samples(self, entrant: Entrant, recipe: str) -> Measured:
        """Image AUROC on a recipe's samples, beside the held-out normal images."""
        judged = self._judged[recipe]
        scores = [
            np.concatenate([c.held_out, c.judged[recipe].scores[judged.shown]]) for c in self.of(entrant)
        ]
        return _aurocs(scores, judged.anomalous, judged.times)

    def sample_times(self, recipe: str) -> Times:
        """How often each of a recipe's samples that show a defect is taken in each resample, (R, N)."""
        judged = self._judged[recipe]
        return judged.times[:, judged.anomalous]

    def transfer(self, entrant: Entrant) -> Measured:
        """The mean over the samples of all other recipes."""
        others = [each.name for each in self.learned if each.name != entrant.recipe]
        found = [self.on_samples(entrant, name) for name in others]
        return Measured(
            np.mean([each.values for each in found], axis=0),
            np.mean([each.replicates for each in found], axis=0),
        )

    @cached_property
    def _judged(self) -> "dict[str, _Judged]":
        """The labels of each recipe's samples beside the held-out images; resampled alike for all."""
        held_out = self.product.held_out
        parts, names = held_out.parts, sorted(set(held_out.parts))
        if len(names) < LEAST_CLUSTERS:
            parts = tuple(map(str, range(len(held_out))))
            names = list(parts)
        column = {part: number for number, part in enumerate(names)}
        normals = [column[part] for part in parts]
        drawn = cluster_times(names, np.zeros(len(names), np.bool_), Stream(0, 0, "validation/held-out"))
        origins = {
            recipe: [normals[origin] for origin in self.origins(recipe)] for recipe in self.job.recipes
        }
        drawn = _with_samples_of_all(drawn, list(origins.values()))
        found = {}
        for recipe, own in origins.items():
            shown = self.sample_set(recipe).anomalous
            anomalous = np.arange(len(normals) + len(own)) >= len(normals)
            found[recipe] = _Judged(shown, anomalous, drawn[:, [*normals, *own]])
        return found


@dataclass(frozen=True)
class _Judged:
    shown: Flags
    """Which samples show a defect, (N,)."""
    anomalous: Flags
    """Of the held-out images and those samples."""
    times: Times
    """(R, number of these)"""


def threshold_of(cell: Cell) -> float:
    """The score above which an image is called anomalous."""
    return conformal_threshold(cell.held_out, FALSE_ALARMS).value


def _with_samples_of_all(drawn: Times, origins: Sequence[Sequence[int]]) -> Times:
    """The resamples (R, parts); others in place of those that hold none of some recipe's samples."""
    whole = np.all([drawn[:, list(own)].any(1) for own in origins], axis=0)
    return np.resize(drawn[whole], drawn.shape)


def _digest(image: Pixels) -> bytes:
    """What says whether two images are the same."""
    return sha256(np.ascontiguousarray(image).tobytes()).digest()


def _above(threshold: float) -> float:
    """The least number above the threshold."""
    return float(np.nextafter(threshold, np.inf))


def _aurocs(scores: Sequence[Floats], anomalous: Flags, times: Times) -> Measured:
    return _stacked(
        [(image_auroc(each, anomalous), resampled_auroc(each, anomalous, times)) for each in scores]
    )


def _stacked(of_seeds: Sequence[tuple[float, Floats]]) -> Measured:
    return Measured(np.array([value for value, _ in of_seeds]), np.stack([found for _, found in of_seeds]))
