"""Pictures of a report: what the recipes make, what is found of it, and what a learner misses."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.figures import tiles
from synthgen.figures.sheet import Group, Note, Style, paint
from synthgen.images.own import drawn
from synthgen.images.pixels import Pixels
from synthgen.validation.entrants import Entrant
from synthgen.validation.job import REAL
from synthgen.validation.measures import Measurements, threshold_of
from synthgen.validation.protocol import LEARNER
from synthgen.validation.report import Picture, Row

STYLE = Style(tile=192, gap=8, group_gap=40, row_gap=28, caption=18, detail=16)
OF_EACH = 3
"""Most, and least, detected samples of a recipe."""
MISSED = 12


def sheets(measurements: Measurements, rows: Sequence[Row]) -> list[tuple[Picture, bytes]]:
    """All pictures with what is said of them."""
    found = [_samples(measurements)]
    if measurements.real is not None:
        learned = {each.name for each in measurements.learned}
        best = max(
            (row for row in rows if row.name in learned and row.learner == LEARNER),
            key=lambda row: row.real["image_auroc"].value,
        )
        entrant = next(each for each in measurements.learned if each.name == best.name)
        found.append(_missed(measurements, entrant))
    return found


def _samples(measurements: Measurements) -> tuple[Picture, bytes]:
    """Of every recipe the samples that PatchCore finds most and least anomalous."""
    patchcore = next(each for each in measurements.unlearned if each.learner == "patchcore")
    cell = measurements.of(patchcore)[0]
    groups = []
    for recipe in measurements.learned:
        samples = measurements.sample_set(recipe.name)
        scores = cell.judged[recipe.name].scores
        order = [number for number in np.argsort(-scores) if samples.anomalous[number]]
        chosen = [*order[:OF_EACH], *order[OF_EACH:][-OF_EACH:]]
        pictures = tuple(_outlined(samples.images[n], samples.masks[n]) for n in chosen)
        notes = tuple(
            Note(recipe.name if place == 0 else "", f"score {scores[n]:.3g}")
            for place, n in enumerate(chosen)
        )
        blanks = 2 * OF_EACH - len(pictures)
        groups.append(Group((*pictures, *[None] * blanks), (*notes, *[Note("", "")] * blanks)))
    sheet = paint(
        groups,
        "What the recipes make",
        f"of held-out images; the {OF_EACH} that PatchCore finds most anomalous, then the {OF_EACH} least",
        STYLE,
        columns=1,
    )
    picture = Picture(
        file="samples.png",
        caption=f"Samples of every recipe, a row each: the {OF_EACH} that a detector fitted on good pictures "
        f"alone (PatchCore) finds most anomalous, then the {OF_EACH} that it finds least.",
        alternative="Images of synthesized defects, their masks outlined, a row for each recipe.",
    )
    return picture, drawn(sheet)


def _missed(measurements: Measurements, entrant: Entrant) -> tuple[Picture, bytes]:
    """The real images about which the learner of the best recipe is most wrong."""
    real, cell = measurements.real, measurements.of(entrant)[0]
    assert real is not None
    workspace = measurements.job.workspace
    images, maps = workspace.images(REAL), workspace.read(f"maps.{entrant.key}.0")
    threshold = threshold_of(cell)
    anomalous = [n for n in np.argsort(cell.real) if real.anomalous[n]][: MISSED - MISSED // 3]
    normal = [n for n in np.argsort(-cell.real) if not real.anomalous[n]][: MISSED // 3]
    low, high = float(maps.min()), float(maps.max())
    groups = []
    for number in [*anomalous, *normal]:
        verdict = "called anomalous" if cell.real[number] > threshold else "called good"
        mask = real.masks[number] if real.labelled[number] else np.zeros_like(real.masks[number])
        groups.append(
            Group(
                (_outlined(images[number], mask), _heat(maps[number], low, high, images.shape[1:3])),
                (
                    Note(real.defect_types[number], verdict),
                    Note(f"score {cell.real[number]:.3g}", f"threshold {threshold:.3g}"),
                ),
            )
        )
    sheet = paint(
        groups,
        f"Where {entrant.learner} errs that learned from {entrant.name}",
        "real defects with the lowest scores, then good products with the highest; image and mask, map",
        STYLE,
    )
    picture = Picture(
        file="missed.png",
        caption=f"The real defects that the {entrant.learner} trained on {entrant.name} finds least "
        "anomalous, then the good products that it finds most anomalous; beside each image its anomaly map.",
        alternative="Real test images with their masks outlined, and anomaly maps.",
    )
    return picture, drawn(sheet)


def _outlined(image: Pixels, mask: npt.NDArray[np.bool_]) -> Pixels:
    tile = tiles.picture_tile(np.asarray(image), STYLE.tile)
    return tiles.outlined(tile, tiles.mask_tile(np.asarray(mask).astype(np.uint8), STYLE.tile))


def _heat(
    scored: npt.NDArray[np.float16], low: float, high: float, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    shape = tiles.tile_shape(size[0], size[1], STYLE.tile)
    resized = cv2.resize(np.asarray(scored, np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR)
    return tiles.map_colours(resized, low, high)
