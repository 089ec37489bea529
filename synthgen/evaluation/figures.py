"""Pictures of an evaluation: sheets of images with their maps and masks, histograms, and curves."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.evaluation.metrics.curves import Curves, count_images, curves
from synthgen.evaluation.metrics.pixels import LabelledMaps, rank_pixels
from synthgen.evaluation.protocol import Map, Predictions, Truth
from synthgen.evaluation.test_set import TestSet
from synthgen.figures import tiles
from synthgen.figures.charts import BLUE, ORANGE, Bars, Curve, Shape, curve_chart, histogram_chart, png, svg
from synthgen.figures.sheet import Group, Note, Style, paint
from synthgen.images.own import drawn
from synthgen.sources.base import TestImage
from synthgen.storage.output import OutputDirectory, explained

IMAGES_A_SHEET = 40
BINS = 30
STYLE = Style(tile=192, gap=8, group_gap=40, row_gap=28, caption=18, detail=16)


class File(NamedTuple):
    """A picture's name and its bytes."""

    name: str
    data: bytes


def write_pictures(
    test_set: TestSet, truth: Truth, predictions: Predictions, side: int, directory: OutputDirectory
) -> None:
    """Write all pictures of a category; each appears whole or not at all."""
    with explained(directory.url):
        for file in _pictures(test_set, truth, predictions, side):
            directory.write(file.name, file.data)


def folder_name(category: str) -> str:
    """A category's name as that of a folder: what could lead elsewhere is replaced."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", category) or "category"


def _pictures(test_set: TestSet, truth: Truth, predictions: Predictions, side: int) -> Iterator[File]:
    yield from _sheets(test_set, truth, predictions, side)
    for name, shapes in charts(test_set.category, truth, predictions).items():
        yield File(f"{name}.svg", svg(shapes))
        yield File(f"{name}.png", png(shapes))


def charts(category: str, truth: Truth, predictions: Predictions) -> dict[str, list[Shape]]:
    """The histogram of the images' scores, and the curves of images and pixels where both kinds are there."""
    found = {"scores": _histogram(category, truth, predictions)}
    known = {
        "images": _image_curves(truth, predictions),
        "pixels": _pixel_curves(truth, predictions),
    }
    colours = {"images": BLUE, "pixels": ORANGE}
    named = {name: each for name, each in known.items() if each is not None}
    if named:
        roc = [Curve(n, colours[n], c.false_positive_rate, c.true_positive_rate) for n, c in named.items()]
        # At the infinite threshold nothing is called anomalous: no point of a precision.
        recalls = [Curve(n, colours[n], c.true_positive_rate[1:], c.precision[1:]) for n, c in named.items()]
        found["roc"] = curve_chart(f"{category}: ROC", "false-positive rate", "true-positive rate", roc)
        found["precision-recall"] = curve_chart(
            f"{category}: precision and recall", "recall", "precision", recalls
        )
    return found


def _histogram(category: str, truth: Truth, predictions: Predictions) -> list[Shape]:
    scores = predictions.scores
    low, high = float(scores.min()), float(scores.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    bars = []
    for label, colour, chosen in (
        ("normal", BLUE, ~truth.anomalous),
        ("anomalous", ORANGE, truth.anomalous),
    ):
        counts, _ = np.histogram(scores[chosen], BINS, (low, high))
        bars.append(Bars(f"{label} ({chosen.sum()})", colour, counts / max(int(chosen.sum()), 1)))
    return histogram_chart(f"{category}: scores of the images", "score", (low, high), bars)


def _image_curves(truth: Truth, predictions: Predictions) -> Curves | None:
    """Each image as a map of one pixel."""
    if truth.anomalous.all() or not truth.anomalous.any():
        return None
    return _curves(list(predictions.scores.reshape(-1, 1, 1)), list(truth.anomalous.reshape(-1, 1, 1)))


def _pixel_curves(truth: Truth, predictions: Predictions) -> Curves | None:
    pairs = [
        (scored, mask) for scored, mask in zip(predictions.maps, truth.masks, strict=True) if mask is not None
    ]
    if not any(mask.any() for _, mask in pairs) or all(mask.all() for _, mask in pairs):
        return None
    return _curves([scored for scored, _ in pairs], [mask for _, mask in pairs])


def _curves(maps: Sequence[npt.NDArray[np.floating]], masks: Sequence[npt.NDArray[np.bool_]]) -> Curves:
    labelled = LabelledMaps(maps, masks)
    counts = count_images(labelled, rank_pixels(labelled))
    return curves(counts, np.ones(len(labelled), np.int64))


def _sheets(test_set: TestSet, truth: Truth, predictions: Predictions, side: int) -> Iterator[File]:
    """All images, by defect type, then from the highest score down: image, map, and outline of the mask."""
    images = test_set.images
    order = sorted(range(len(images)), key=lambda n: (images[n].defect_type, -predictions.scores[n]))
    low = min(float(scored.min()) for scored in predictions.maps)
    high = max(float(scored.max()) for scored in predictions.maps)
    sheets = [order[first : first + IMAGES_A_SHEET] for first in range(0, len(order), IMAGES_A_SHEET)]
    for number, positions in enumerate(sheets, 1):
        groups = [
            _group(
                images[n],
                tiles.picture_tile(test_set.image(images[n], side), STYLE.tile),
                _map_tile(predictions.maps[n], low, high),
                truth.masks[n],
                float(predictions.scores[n]),
            )
            for n in positions
        ]
        shown = (
            f"sheet {number} of {len(sheets)}  -  image, map, mask outline  -  maps from {low:.3g} (black) "
            f"to {high:.3g} (yellow), the same on all sheets"
        )
        sheet = paint(groups, test_set.category, shown, STYLE)
        yield File(f"maps-{number:02d}.png", drawn(sheet))


def _group(
    image: TestImage,
    picture: npt.NDArray[np.uint8],
    heat: npt.NDArray[np.uint8],
    mask: npt.NDArray[np.bool_] | None,
    score: float,
) -> Group:
    outlined = None
    if mask is not None:
        tile = tiles.mask_tile(mask.astype(np.uint8), STYLE.tile)
        outlined = tiles.outlined(picture, tile)
    name = image.path.rpartition("/")[2]
    return Group((picture, heat, outlined), (Note(image.defect_type, ""), Note(f"score {score:.4g}", name)))


def _map_tile(scored: Map, low: float, high: float) -> npt.NDArray[np.uint8]:
    shape = tiles.tile_shape(scored.shape[0], scored.shape[1], STYLE.tile)
    resized = cv2.resize(scored, shape[::-1], interpolation=cv2.INTER_AREA)
    return tiles.map_colours(resized, low, high)
