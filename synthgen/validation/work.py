"""What worker processes do for a validation: make sample sets, extract features, and fill cells."""

import resource
from collections.abc import Iterator
from functools import lru_cache
from time import monotonic

import numpy as np
import numpy.typing as npt
import torch

from synthgen.detectors.base import Detector
from synthgen.detectors.common.feature_detector import FeatureDetector
from synthgen.detectors.common.features import FeatureExtractor
from synthgen.errors import RunError
from synthgen.evaluation.metrics.clusters import cluster_times
from synthgen.evaluation.metrics.pixels import LabelledMaps, rank_pixels
from synthgen.evaluation.metrics.ranking import average_precision
from synthgen.evaluation.test_set import to_tensor
from synthgen.storage.output import OutputDirectory, explained
from synthgen.streams import Stream
from synthgen.validation.cell import Cell, Judged, PixelOutcome
from synthgen.validation.entrants import Entrant, Network, detector_of
from synthgen.validation.faults import set_faults
from synthgen.validation.job import (
    HELD_OUT,
    REAL,
    CellTask,
    FeaturesTask,
    Job,
    SetTask,
    Task,
    normals_of,
    set_name,
)
from synthgen.validation.pixel_resampling import resampled_pixel_outcomes
from synthgen.validation.protocol import CONTROL, JUDGED_SEED, UNTRAINED
from synthgen.validation.sample_sets import anomalies_of, keep, kept, sample_set
from synthgen.validation.workspace import BATCH

LOOKED_AT = 256
"""Samples to learn from that are searched for faults."""
EVERY = 4
"""Of the maps of synthetic samples, every fourth row and column: the pixel AP of a table needs no more."""

Maps = npt.NDArray[np.float32]


def perform(task: Task) -> None:
    """Do a task; what it makes is in files when it is done."""
    match task:
        case FeaturesTask(job, name):
            job.workspace.write_features(name, _extractor(job.network))
        case SetTask(job, recipe):
            _make_set(job, recipe)
        case CellTask(job, entrant, seed):
            _fill(job, entrant, seed)


def _make_set(job: Job, name: str) -> None:
    recipe, is_control = job.recipes[name], name == CONTROL
    held_out, learning = normals_of(job, "held-out"), normals_of(job, "learning")
    anomalies = anomalies_of(
        recipe, held_out, JUDGED_SEED, job.category, nothing_pasted=is_control, learned=learning
    )
    judging = sample_set(anomalies, held_out, job.budget.judged)
    if not judging.anomalous.any():
        raise RunError(
            f"recipe {name}: none of {len(judging)} samples shows a defect on these images; look at them by "
            "`synthgen preview`, or leave the recipe out"
        )
    if not is_control:
        taught = anomalies_of(recipe, learning, 0, job.category)
        faults = set_faults(sample_set(taught, learning, min(job.budget.samples, LOOKED_AT)), judging, name)
        directory = OutputDirectory(str(job.workspace.folder))
        with explained(directory.url):
            directory.write(
                f"{set_name(name)}.faults.json",
                ("[" + ",".join(fault.model_dump_json() for fault in faults) + "]").encode(),
            )
    keep(set_name(name), judging, job.workspace)
    job.workspace.write_features(set_name(name), _extractor(job.network))


def _fill(job: Job, entrant: Entrant, seed: int) -> None:
    begun = monotonic()
    detector = detector_of(entrant, job.budget, job.side, job.network)
    learning = normals_of(job, "learning")
    anomalies = None
    if entrant.recipe:
        is_control = entrant.recipe == CONTROL
        recipe = job.recipes[entrant.recipe]
        anomalies = anomalies_of(recipe, learning, seed, job.category, nothing_pasted=is_control)
    detector.fit(learning, anomalies, seed, lambda done, total: None)
    held_out, held_out_maps = _predicted(job, detector, HELD_OUT)
    localises = entrant.learner != UNTRAINED
    judged = {}
    for recipe_name in job.judged:
        scores, maps = _predicted(job, detector, set_name(recipe_name))
        judged[recipe_name] = Judged(
            scores=scores,
            pixel_ap=_pixel_ap(job, recipe_name, maps, held_out_maps) if localises else None,
        )
    real = np.empty(0)
    pixels = {}
    if job.real_anomalous:
        real, maps = _predicted(job, detector, REAL)
        if localises:
            job.workspace.write(f"maps.{entrant.key}.{seed}", maps[:, ::EVERY, ::EVERY].astype(np.float16))
            pixels = _real_pixels(job, maps)
    cell = Cell(
        run=job.run,
        entrant=entrant.name,
        learner=entrant.learner,
        seed=seed,
        held_out=held_out,
        real=real,
        real_pixels=pixels,
        judged=judged,
        notes=detector.notes,
        seconds=monotonic() - begun,
        memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )
    path = job.cell_file(entrant, seed)
    with explained(str(path.parent)):
        OutputDirectory(str(path.parent)).write(path.name, cell.model_dump_json().encode())


def _predicted(job: Job, detector: Detector, name: str) -> tuple[npt.NDArray[np.float64], Maps]:
    """Scores (N,) and maps (N, side, side) of the images of a name."""
    scores, maps = [], []
    for some_scores, some_maps in _predictions(job, detector, name):
        scores.append(some_scores.double().numpy())
        maps.append(some_maps.numpy())
    return np.concatenate(scores), np.concatenate(maps)


def _predictions(job: Job, detector: Detector, name: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    if isinstance(detector, FeatureDetector) and detector.scores_features:
        yield from map(detector.predict_features, job.workspace.features(name))
        return
    images = job.workspace.images(name)
    for first in range(0, len(images), BATCH):
        yield detector.predict(to_tensor(list(images[first : first + BATCH])))


def _pixel_ap(job: Job, recipe: str, maps: Maps, normal_maps: Maps) -> float | None:
    masks = kept(set_name(recipe), job.workspace).masks[:, ::EVERY, ::EVERY]
    if not masks.any():  # all of them fall between those rows and columns
        return None
    blank = np.zeros(masks.shape[1:], np.bool_)
    labelled = LabelledMaps(
        [*maps[:, ::EVERY, ::EVERY], *normal_maps[:, ::EVERY, ::EVERY]], [*masks, *[blank] * len(normal_maps)]
    )
    return average_precision(rank_pixels(labelled))


def _real_pixels(job: Job, maps: Maps) -> dict[str, PixelOutcome]:
    """The pixel outcomes of the real test images that have labels of their pixels."""
    labelled, masks = job.workspace.read("real.labelled"), job.workspace.read("real.masks")
    anomalous, kept_ones = np.array(job.real_anomalous), np.flatnonzero(labelled)
    if not (anomalous & labelled).any() or not masks[kept_ones].any():
        return {}
    parts = [job.real_parts[number] for number in kept_ones]
    times = cluster_times(parts, anomalous[kept_ones], Stream(0, 0, "validation/real pixels"))
    found = resampled_pixel_outcomes(
        LabelledMaps(
            [maps[number] for number in kept_ones], [np.array(masks[number]) for number in kept_ones]
        ),
        times,
    )
    return {
        name: PixelOutcome(value=outcome.value, replicates=outcome.replicates)
        for name, outcome in found.items()
    }


@lru_cache(maxsize=1)
def _extractor(network: Network) -> FeatureExtractor:
    from synthgen.detectors.choice import DetectorChoice

    detector = DetectorChoice("padim", {}, network.backbone, network.weights, network.device).make()
    assert detector.backbone
    return FeatureExtractor(detector.backbone, detector.device)
