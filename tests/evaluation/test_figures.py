"""The pictures: what they show, and that PNG and SVG are readable."""

from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from synthgen.evaluation import figures
from synthgen.evaluation.figures import charts, folder_name, write_pictures
from synthgen.evaluation.labelled import open_dataset
from synthgen.evaluation.protocol import Predictions, Truth
from synthgen.figures.charts import BLUE, ORANGE, Box, Line, Shape, Text, png, svg
from synthgen.storage.output import OutputDirectory
from synthgen.storage.root import Root
from tests.evaluation.sets import SIDE, mvtec_category

SVG = "{http://www.w3.org/2000/svg}"


def truth_of(scores: list[float], anomalous: list[bool]) -> tuple[Truth, Predictions]:
    """Images of 2 x 2 pixels, of which anomalous ones are all anomalous."""
    labels = np.array(anomalous)
    maps = tuple(np.full((2, 2), score, np.float32) for score in scores)
    masks = tuple(np.full((2, 2), label) for label in anomalous)
    return Truth(labels, masks, ("",) * len(scores)), Predictions(np.array(scores), maps)


def lines(shapes: list[Shape], colour: tuple[int, int, int]) -> list[Line]:
    return [shape for shape in shapes if isinstance(shape, Line) and shape.colour == colour]


def in_plot(line: Line) -> list[tuple[float, float]]:
    """A line's points in the unit square."""
    return [(round((x - 80) / (724 - 80), 3), round((528 - y) / (528 - 104), 3)) for x, y in line.points]


def test_curves_by_hand() -> None:
    found = charts("nut", *truth_of([1, 3, 2, 4], [False, False, True, True]))
    (roc,) = lines(found["roc"], BLUE)
    assert in_plot(roc) == [(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)]
    (recall,) = lines(found["precision-recall"], BLUE)
    assert in_plot(recall) == [(0.5, 1), (0.5, 0.5), (1, 0.667), (1, 0.5)]
    # All pixels of an image have its score here, so that they have its curve.
    assert in_plot(lines(found["roc"], ORANGE)[0]) == in_plot(roc)


def test_the_histogram_has_the_shares_of_each_kind() -> None:
    found = charts("nut", *truth_of([0, 0, 0, 10, 10, 5], [False, False, False, False, True, True]))
    bars = [shape for shape in found["scores"] if isinstance(shape, Box) and shape.top > 104 - 1][1:]
    heights = {
        colour: [round((box.bottom - box.top) / (528 - 104), 3) for box in bars if box.colour == colour]
        for colour in (BLUE, ORANGE)
    }
    assert heights == {BLUE: [1, 0.333], ORANGE: [0.667, 0.667]}  # of the highest, 0.75
    texts = [shape.text for shape in found["scores"] if isinstance(shape, Text)]
    assert "normal (4)" in texts
    assert "anomalous (2)" in texts
    assert "0.75" in texts


def test_without_normal_images_there_is_only_the_histogram() -> None:
    truth, predictions = truth_of([1, 1], [True, True])
    assert list(charts("nut", truth, predictions)) == ["scores"]


def test_charts_are_readable_and_say_the_same() -> None:
    shapes = charts("<nut> & bolt", *truth_of([1, 3, 2, 4], [False, False, True, True]))["roc"]
    root = ElementTree.fromstring(svg(shapes))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert "<nut> & bolt: ROC" in texts
    assert len(list(root.iter(f"{SVG}polyline"))) == len([s for s in shapes if isinstance(s, Line)])
    image = Image.open(BytesIO(png(shapes)))
    assert image.size == (1520, 1200)
    pixels = np.asarray(image)
    # The images' curve rises along the left edge to one half, and lies under the pixels' equal one.
    edge = pixels[2 * 528 - 20, 160]
    assert tuple(edge) in (BLUE, ORANGE)
    assert tuple(pixels[20, 20]) == (255, 255, 255)


@pytest.mark.parametrize("limit", [2, 40])
def test_all_images_are_on_the_sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(figures, "IMAGES_A_SHEET", limit)
    dataset = open_dataset(str(mvtec_category(tmp_path / "nut")))
    test_set = dataset.test_set("nut")
    truth = Truth(
        np.array([image.anomalous for image in test_set.images]),
        tuple(test_set.truth(image, SIDE)[1] for image in test_set.images),
        ("",) * 4,
    )
    maps = tuple(test_set.image(image, SIDE)[..., 0].astype(np.float32) for image in test_set.images)
    predictions = Predictions(np.array([scored.max() for scored in maps], np.float64), maps)
    out = OutputDirectory(str(tmp_path / "out"))
    out.create()
    write_pictures(test_set, truth, predictions, SIDE, out)
    sheets = [f"maps-{number:02d}.png" for number in range(1, 1 + -(-4 // limit))]
    named = [f"{name}.{kind}" for name in ("precision-recall", "roc", "scores") for kind in ("png", "svg")]
    assert Root(out.url).names() == sorted([*sheets, *named])
    colours = {colour for _, colour in Image.open(tmp_path / "out" / sheets[0]).getcolors(10**6) or ()}
    assert (80, 80, 80) in colours  # the patch of an anomalous picture
    assert (190, 255, 40) in colours  # the outline of its mask
    assert max(colour[0] for colour in colours if isinstance(colour, tuple)) > 245


def test_a_category_is_no_path() -> None:
    assert folder_name("../../etc/x y") == "_etc_x_y"
    assert folder_name("bottle") == "bottle"
