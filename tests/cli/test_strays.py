"""Detectors on folders with strays: what is told, and which code says that an image was not scored."""

import os
from pathlib import Path

import pytest

from tests.cli.helpers import Run
from tests.cli.test_detect import SMALL, fitted, here, scores  # noqa: F401 - fixtures
from tests.evaluation.sets import picture, save

LOOP = "skipped loop: is a symbolic link to a folder around it"
OTHERS = "note: 1 file of another format was passed over: 1 .jxl; "


@pytest.fixture
def stray(here: Path) -> Path:  # noqa: F811
    folder = here / "pictures"
    (folder / "loop").symlink_to(".")
    (folder / "x.jxl").touch()
    return folder


@pytest.mark.usefixtures("stray")
def test_fit_tells_strays_and_other_formats(run: Run) -> None:
    result = run("detect", "fit", "brightness", "pictures", "--out", "new", *SMALL)
    assert (result.code, result.out) == (0, "new: brightness fitted on 2 images\n")
    assert LOOP in result.err
    assert OTHERS in result.err


def test_score_tells_strays_and_fails_for_an_image_alone(fitted: Path, stray: Path, run: Run) -> None:  # noqa: F811
    first = run("detect", "score", fitted, "pictures")
    assert first.code == 0
    assert list(scores(first.out)) == ["below/0.png", "below/1.png"]
    assert LOOP in first.err
    assert OTHERS in first.err
    save(stray / "x.png", picture(90))
    (stray / "x.png").rename(os.fsdecode(os.fsencode(stray) + b"/\xff.png"))
    second = run("detect", "score", fitted, "pictures")
    assert second.out == first.out
    second.assert_refused("1 of 3 images could not be scored; the others are written", code=1)
    assert r"skipped \udcff.png: is not a UTF-8 name; rename it" in second.err


def test_a_test_set_with_a_stray_is_refused(here: Path, run: Run) -> None:  # noqa: F811
    (here / "parts" / "nut" / "test" / "good" / "gone.png").symlink_to("nowhere")
    run("evaluate", "brightness", "parts", "--seeds", 1, *SMALL).assert_refused(
        r"nut/test/good/gone\.png is a symbolic link to nothing; remove it, since a test set is read whole"
    )
