"""What can be said of recipes without a real defect: how easily theirs are found, and what they are like."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from synthgen.validation.beyond_normal import BeyondNormal
from synthgen.validation.entrants import Entrant
from synthgen.validation.job import HELD_OUT, set_name
from synthgen.validation.measures import Measurements, threshold_of
from synthgen.validation.protocol import UNTRAINED
from synthgen.validation.report import Bin, Detectability, SetFacts
from synthgen.validation.statistics import estimate

MOST_BINS = 4
LEAST_IN_A_BIN = 8
ALL_FOUND, NONE_FOUND = 0.98, 0.05
"""Recall from which, and up to which, a set cannot tell detectors or strengths apart."""
NEAR = 0.05
"""Samples whose features are nearer than this share of the median distance look the same."""

Floats = npt.NDArray[np.float64]


def detectability(measurements: Measurements) -> list[Detectability]:
    """What every detector that learns from normal images alone finds of every recipe."""
    return [
        _detectability(measurements, entrant, recipe.name)
        for recipe in measurements.learned
        for entrant in measurements.unlearned
        if entrant.learner in ("padim", "patchcore", UNTRAINED)
    ]


def _detectability(measurements: Measurements, entrant: Entrant, recipe: str) -> Detectability:
    samples = measurements.sample_set(recipe)
    shown = samples.anomalous
    found = np.mean(
        [cell.judged[recipe].scores[shown] > threshold_of(cell) for cell in measurements.of(entrant)],
        axis=0,
    )
    recall = float(found.mean())
    by: dict[Literal["strength", "area", "contrast"], list[Bin]] = {
        "strength": _bins(samples.strengths[shown], found),
        "area": _bins(samples.areas[shown], found),
        "contrast": _bins(samples.contrasts[shown], found),
    }
    return Detectability(
        recipe=recipe,
        detector=entrant.name,
        image_auroc=estimate(measurements.on_samples(entrant, recipe)),
        recall=recall,
        by=by,
        saturation="everything is found"
        if recall >= ALL_FOUND
        else "nothing is found"
        if recall <= NONE_FOUND
        else "",
    )


def _bins(values: Floats, found: Floats) -> list[Bin]:
    """Parts with equal numbers of samples, by the values; none where all are equal."""
    count = min(MOST_BINS, len(values) // LEAST_IN_A_BIN)
    if count < 2 or values.min() == values.max():
        return []
    edges = np.unique(np.quantile(values, np.linspace(0, 1, count + 1)))
    inside = np.clip(np.searchsorted(edges, values, "right") - 1, 0, len(edges) - 2)
    return [
        Bin(
            low=float(edges[number]),
            high=float(edges[number + 1]),
            samples=int((inside == number).sum()),
            recall=float(found[inside == number].mean()),
        )
        for number in range(len(edges) - 1)
        if (inside == number).any()
    ]


def set_facts(measurements: Measurements, beyond: BeyondNormal) -> list[SetFacts]:
    """What every recipe's samples are like."""
    return [_set_facts(measurements, beyond, entrant.name) for entrant in measurements.learned]


def _set_facts(measurements: Measurements, beyond: BeyondNormal, recipe: str) -> SetFacts:
    samples = measurements.sample_set(recipe)
    shown = np.flatnonzero(samples.anomalous)
    defects, places = _masked_features(measurements, recipe, samples.masks, shown)
    among = _distances(defects, defects)
    np.fill_diagonal(among, np.inf)
    finite = among[np.isfinite(among)]
    between_places = _distances(places, places)
    np.fill_diagonal(between_places, np.inf)
    spread = float(between_places[np.isfinite(between_places)].mean()) if len(places) > 1 else 1.0
    nearest_normal = _distances(defects, places).min(1)
    nearest_among_normals = between_places.min(1) if len(places) > 1 else np.ones(1)
    return SetFacts(
        recipe=recipe,
        samples=len(samples),
        rejected=len(samples) - len(shown),
        near_duplicates=float((among.min(1) < NEAR * np.median(finite)).mean()) if len(finite) else 0.0,
        diversity=float(finite.mean()) / max(spread, 1e-12) if len(finite) else 0.0,
        distance_from_normal=float(nearest_normal.mean()) / max(float(nearest_among_normals.mean()), 1e-12),
        abnormal=beyond.of_recipe(recipe),
    )


def _masked_features(
    measurements: Measurements,
    recipe: str,
    masks: npt.NDArray[np.bool_],
    shown: npt.NDArray[np.intp],
) -> tuple[Floats, Floats]:
    """Mean features under the masks, of the samples and of their normal images, standardised: (N, C) each."""
    origins = measurements.origins(recipe)
    defects, places = [], []
    workspace = measurements.job.workspace
    for stage in (2, 3):
        of_samples = workspace.read(f"{set_name(recipe)}.stage{stage}")
        of_normals = workspace.read(f"{HELD_OUT}.stage{stage}")
        under, before = [], []
        for number, origin in zip(shown, origins, strict=True):
            weight = _cover(masks[number], of_samples.shape[-1])
            under.append((np.asarray(of_samples[number], np.float64) * weight).sum((1, 2)))
            before.append((np.asarray(of_normals[origin], np.float64) * weight).sum((1, 2)))
        mean, deviation = np.mean(before, axis=0), np.std(before, axis=0) + 1e-6
        defects.append((np.array(under) - mean) / deviation)
        places.append((np.array(before) - mean) / deviation)
    return np.concatenate(defects, axis=1), np.concatenate(places, axis=1)


def _cover(mask: npt.NDArray[np.bool_], side: int) -> Floats:
    """The share of the mask that lies in each of (side, side) cells."""
    height = mask.shape[0] // side
    cells = mask[: side * height, : side * height].reshape(side, height, side, height).mean((1, 3))
    return np.asarray(cells / max(cells.sum(), 1e-12))


def _distances(first: Floats, second: Floats) -> Floats:
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * first @ second.T
    return np.sqrt(np.maximum(squares, 0))
