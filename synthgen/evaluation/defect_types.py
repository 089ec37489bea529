"""Each defect type on its own: which ones a detector sees, and which it does not."""

import numpy as np
import numpy.typing as npt

from synthgen.config.model import FrozenModel
from synthgen.evaluation.metrics.pixels import LabelledMaps, rank_pixels
from synthgen.evaluation.metrics.ranking import auroc, rank_images
from synthgen.evaluation.metrics.regions import aupro
from synthgen.evaluation.metrics.summary import AUPRO_LIMIT
from synthgen.evaluation.protocol import Predictions, Truth
from synthgen.evaluation.test_set import TestSet


class DefectType(FrozenModel):
    """The images of one defect type beside all normal ones; null where nothing can be measured."""

    images: int
    image_auroc: float | None
    pixel_auroc: float | None
    aupro: float | None
    """Up to a false-positive rate of 0.3."""


def measure_defect_types(test_set: TestSet, truth: Truth, predictions: Predictions) -> dict[str, DefectType]:
    """Every defect type of the anomalous images, by its name."""
    defect_types = np.array([image.defect_type for image in test_set.images])
    return {
        str(defect_type): _measured(truth, predictions, (defect_types == defect_type) & truth.anomalous)
        for defect_type in np.unique(defect_types[truth.anomalous])
    }


def _measured(truth: Truth, predictions: Predictions, of_type: npt.NDArray[np.bool_]) -> DefectType:
    looked_at = of_type | ~truth.anomalous
    image_auroc = None
    if not truth.anomalous.all():
        image_auroc = auroc(rank_images(predictions.scores[looked_at], truth.anomalous[looked_at]))
    maps, masks = [], []
    for number in np.flatnonzero(looked_at):
        mask = truth.masks[number]
        if mask is not None:
            maps.append(predictions.maps[number])
            masks.append(mask)
    pixel_auroc = pixel_aupro = None
    if any(mask.any() for mask in masks) and not all(mask.all() for mask in masks):
        labelled = LabelledMaps(maps, masks)
        ranking = rank_pixels(labelled)
        pixel_auroc, pixel_aupro = auroc(ranking), aupro(labelled, ranking, AUPRO_LIMIT)
    return DefectType(
        images=int(of_type.sum()), image_auroc=image_auroc, pixel_auroc=pixel_auroc, aupro=pixel_aupro
    )
