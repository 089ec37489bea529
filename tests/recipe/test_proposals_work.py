"""What a first recipe proposes makes defects, whatever the size of the images."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time

import cv2
import numpy as np
import pytest

from synthgen.images.pixels import Pixels
from synthgen.pipeline.freeze import freeze
from synthgen.pipeline.pipeline import Pipeline
from synthgen.recipe.files import load_recipe
from synthgen.recipe.first_recipe import write_recipe
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.progress import Progress

Sizes = list[tuple[int, int]]


def disc(number: int, height: int, width: int) -> Pixels:
    """A bright disc, or ellipse, before a dark ground (H, W) uint8."""
    stream = np.random.default_rng(number)
    y, x = np.mgrid[:height, :width]
    inside = ((y - height / 2) / (height * 0.3)) ** 2 + ((x - width / 2) / (width * 0.3)) ** 2 < 1
    bright = 150 + 30 * np.sin(x / 3 + number) + stream.normal(0, 8, (height, width))
    return np.where(inside, bright, stream.normal(20, 3, (height, width))).clip(0, 255).astype(np.uint8)


def woven(number: int, height: int, width: int) -> Pixels:
    """A woven or dotted material (H, W) uint8."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(number).normal(0, 10, (height, width))
    return (120 + 30 * np.sin(x / 3 + number) * np.cos(y / 4) + noise).clip(0, 255).astype(np.uint8)


def plain(level: int, number: int, height: int, width: int) -> Pixels:
    """A surface with next to nothing on it (H, W) uint8."""
    noise = np.random.default_rng(number).normal(level, 2, (height, width))
    return noise.clip(0, 255).astype(np.uint8)


def fill(folder: Path, pictures: list[Pixels], colour: bool) -> Path:
    folder.mkdir()
    for number, grey in enumerate(pictures):
        picture = np.dstack([grey, grey * 0.8, grey * 0.6]).astype(np.uint8) if colour else grey
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder


def rejected(folder: Path, count: int) -> tuple[Recipe, list[str]]:
    """The proposed recipe, and the methods with reasons of its samples that were rejected."""
    out = folder.parent / "r.yaml"
    recipe = write_recipe(str(folder), out)
    facts = [
        sample.facts
        for sample in Pipeline(freeze(load_recipe(out, [f"count={count}"]))).samples(range(count))
    ]
    assert sum(each.outcome == "anomalous" for each in facts) > 0.7 * count
    return recipe, [f"{each.method}: {each.reason}" for each in facts if each.outcome == "rejected"]


@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
@pytest.mark.parametrize("make", [disc, woven])
@pytest.mark.parametrize(
    "sizes",
    [
        [(16, 16)],
        [(20, 20)],
        [(24, 400)],
        [(150, 40)],
        [(128, 128)],
        [(64, 90), (40, 40), (30, 50)],
        [(16, 30), (30, 16)],
    ],
    ids=str,
)
def test_small_images(tmp_path: Path, sizes: Sizes, make: object, colour: bool) -> None:
    assert callable(make)
    pictures = [make(number, *sizes[number % len(sizes)]) for number in range(6)]
    _, failed = rejected(fill(tmp_path / "good", pictures, colour), 100)
    assert not failed


@pytest.mark.parametrize("size", [(64, 2000), (2000, 64)])
@pytest.mark.parametrize("make", [disc, woven])
def test_strips(tmp_path: Path, size: tuple[int, int], make: object) -> None:
    assert callable(make)
    folder = fill(tmp_path / "good", [make(number, *size) for number in range(3)], colour=False)
    recipe, failed = rejected(folder, 40)
    assert recipe.size == "native" and not failed


def test_long_woven_strips_take_seconds(tmp_path: Path) -> None:
    folder = fill(tmp_path / "good", [woven(number, 5000, 200) for number in range(3)], colour=True)
    stages: list[str] = []

    @contextmanager
    def watched(what: str, unit: str) -> Iterator[Progress]:
        stages.append(what)
        reports: list[tuple[int, int]] = []
        yield lambda done, total: reports.append((done, total))
        assert reports[-1][0] == reports[-1][1] > 1

    start = process_time()
    recipe = write_recipe(str(folder), tmp_path / "r.yaml", progress=watched)
    assert process_time() - start < 30  # with a pass for every piece it was minutes
    assert recipe.size == "native"
    assert stages == ["looking at the images", "finding the foreground", "trying the methods"]


def test_defects_of_a_strip_are_sized_by_its_width(tmp_path: Path) -> None:
    folder = fill(tmp_path / "good", [woven(0, 64, 2000), woven(1, 64, 2000)], colour=False)
    text = write_recipe(str(folder), tmp_path / "r.yaml") and (tmp_path / "r.yaml").read_text()
    assert "method: smoothblend, weight: 1, area: [0.0026, 0.019]" in text  # 18 to 49 pixels a side
    assert "grid: [8, 64]" in text and "mask: {scales: [0, 4]}" in text


@pytest.mark.parametrize("level", [20, 128], ids=["dark", "medium"])
def test_methods_whose_defects_cannot_be_seen_are_left_out_with_a_reason(tmp_path: Path, level: int) -> None:
    folder = fill(tmp_path / "good", [plain(level, number, 64, 64) for number in range(4)], colour=False)
    recipe, failed = rejected(folder, 60)
    assert not failed
    used = {each.method for each in recipe.synthesizers}
    assert "nsa" not in used and "perlin-texture" in used
    text = re.sub(r"\n *# ", " ", (tmp_path / "r.yaml").read_text())
    assert re.search(
        r"Poisson blending\)\. Left out: [012] of 16 tries made a defect that shows \(.+?\)\.", text
    )
    assert "- {method: nsa" in text
