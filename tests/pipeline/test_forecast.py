"""What ``check`` measures: defects that would vanish where a detector sees the whole image resized."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import synthgen
from synthgen.pipeline.forecast import SAMPLES_TO_MEASURE, forecast
from synthgen.pipeline.pipeline import Pipeline
from synthgen.recipe.recipe import Recipe
from synthgen.sample import Sample
from tests.recipes import small_recipe

HEIGHT, WIDTH = 1500, 2048
SIX_PIXELS = 36 / (HEIGHT * WIDTH)
"""Share of a whole picture that a square of 6 x 6 pixels covers."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(2):
        noise = np.random.default_rng(number).integers(90, 160, (HEIGHT, WIDTH), np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), noise)
    return folder


def recipe_for(pictures: Path, area: float, **fields: object) -> Recipe:
    method = {"method": "cutout", "area": [area, area], "aspect": [1, 1], "fill": "black"}
    source = {"kind": "folder", "path": str(pictures), "held_out": 0}
    return small_recipe(
        **{"source": source, "synthesizers": [method], "normal_share": 0, "foreground": "all"} | fields
    )


def last_line(recipe: Recipe) -> str:
    return forecast(recipe).splitlines()[-1]


def side(sample: Sample) -> int:
    left, top, right, bottom = sample.facts.box
    assert right - left == bottom - top
    return right - left


def test_defects_of_six_pixels_vanish_on_the_whole_picture_and_live_on_tiles(pictures: Path) -> None:
    """A detector's pixel is 8 x 5.9 of these, so that the square fills most of one, or parts of several."""
    whole = recipe_for(pictures, SIX_PIXELS, size="native")
    assert {side(sample) for sample in Pipeline(synthgen.freeze(whole)).samples(range(4))} == {6}
    share = int(last_line(whole).removeprefix("detectors    ").partition("%")[0])
    assert 30 < share < 100
    tiles = recipe_for(pictures, 36 / 256**2, size=[256, 256], resize="tile")
    assert {side(sample) for sample in Pipeline(synthgen.freeze(tiles)).samples(range(24))} == {6}
    assert "detectors" not in forecast(tiles)


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (3, f"100% of the defects ({SAMPLES_TO_MEASURE} of {SAMPLES_TO_MEASURE} made) would vanish"),
        (40, None),
    ],
)
def test_what_is_too_small_and_what_is_not(pictures: Path, pixels: int, told: str | None) -> None:
    """A detector's pixel is 5 x 5 of these: a square of 3 never covers half of one, one of 40 always does."""
    recipe = recipe_for(pictures, pixels**2 / 1280**2, size=[1280, 1280])
    if told is None:
        assert "detectors" not in forecast(recipe)
    else:
        assert told in last_line(recipe)


def test_samples_of_the_detectors_size_lose_nothing(pictures: Path) -> None:
    assert "detectors" not in forecast(recipe_for(pictures, 9 / 256**2, size=[256, 256]))


def test_normal_samples_are_no_defects(pictures: Path) -> None:
    recipe = recipe_for(pictures, 9 / 1280**2, size=[1280, 1280], normal_share=0.5)
    made = Pipeline(synthgen.freeze(recipe)).samples(range(SAMPLES_TO_MEASURE))
    defects = sum(sample.facts.label for sample in made)
    assert 0 < defects < SAMPLES_TO_MEASURE
    assert f"100% of the defects ({defects} of {defects} made)" in last_line(recipe)
