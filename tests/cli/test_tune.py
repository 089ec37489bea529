"""`synthgen tune`: a recipe that `generate` takes, and one line for what cannot be tuned."""

from pathlib import Path

import pytest

from synthgen.detectors import registry
from synthgen.recipe.files import dump_recipe, load_recipe
from synthgen.validation import tuned_trials
from tests.cli.helpers import Result, Run
from tests.validation.dark_products import Darkness, Learner, black_boxes, write_products


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: pictures in ``good``, a recipe for them, and two toy detectors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tuned_trials, "SAMPLES", 32)
    for detector in (Darkness, Learner):
        monkeypatch.setitem(registry.DETECTORS, detector.method, detector)
    write_products(tmp_path / "good")
    (tmp_path / "r.yaml").write_text(dump_recipe(black_boxes(Path("good"))))
    return tmp_path


def tune(run: Run, *more: object, recipe: str = "r.yaml", share: object = 0.5) -> Result:
    return run(
        "tune", recipe, "--detectability", share, "--out", "tuned.yaml", "--detector", "darkness", *more
    )


def test_a_recipe_is_tuned_and_then_generated(here: Path, run: Run) -> None:
    result = tune(run, "--device", "cpu", "--source", "good", "--seed", 8)
    assert result.code == 0, result
    assert result.out.startswith("tuned.yaml: delta 0.")
    assert " (it was 1): darkness finds 50 % (" in result.out
    assert "note: with 8 held-out images no threshold can promise less than" in result.err
    tuned = load_recipe("tuned.yaml")
    assert tuned.seed == 8
    assert tuned.synthesizers[0].delta[0] < 1
    assert (here / "tuned.svg").is_file()
    made = run("generate", "tuned.yaml", "--out", "shards", "--workers", 1, "--device", "cpu")
    assert made.out == "shards: 1 of 1 shards, 6 samples\n"


def test_the_area_is_tuned(here: Path, run: Run) -> None:
    assert tune(run, "--field", "area").code == 0
    (before,), (after,) = load_recipe("r.yaml").synthesizers, load_recipe("tuned.yaml").synthesizers
    assert after.delta == before.delta
    assert after.area != before.area  # type: ignore[attr-defined]


def test_a_real_detector_at_a_small_size(here: Path, run: Run) -> None:
    result = run(
        "tune", "r.yaml", "--detectability", 0.5, "--out", "tuned.yaml", "--detector-set", "image_size=64",
        "--detector-set", "channels=20", "--device", "cpu",
    )  # fmt: skip
    assert result.code == 0, result
    assert ": padim (efficientnet_lite0) finds " in result.out


@pytest.mark.parametrize("share", ["0", "1", "1.5", "abc", "nan", "-0.1"])
def test_a_share_is_above_0_and_below_1(here: Path, run: Run, share: str) -> None:
    told = f"--detectability: expected a share above 0 and below 1, such as 0.8, found '{share}'"
    tune(run, share=share).assert_refused_at_once(told) if share[0] != "-" else None
    run("tune", "r.yaml", f"--detectability={share}", "--out", "t.yaml").assert_refused_at_once(told)


CANNOT = {
    "whole images": (
        ["--set", "synthesizers=[{method: sdas-image}]"],
        "sdas-image makes whole images without",
    ),
    "a bank": (
        ["--set", "synthesizers=[{method: sdas, bank: shards}]"],
        "sdas takes stored images of a bank, whose strength was settled",
    ),
    "s 0": (
        ["--set", "synthesizers=[{method: sdas-local, s: [0, 0]}]"],
        r"s: \[0, 0\] of sdas-local stays 0 whatever",
    ),
    "no area": (
        ["--field", "area", "--set", "synthesizers=[{method: nsa}, {method: cutout}, {method: scar}]"],
        "recipe boxes: nsa, scar has no field area; tune the strength",
    ),
    "an unknown field": (["--field", "size"], "--field: invalid choice: 'size'"),
    "an unknown detector": (["--detector", "padin"], "method 'padin' is not known; one of padim, patchcore"),
    "an unknown setting": (["--detector-set", "sise=3"], "sise: unknown field"),
    "a detector that learns from anomalies": (
        ["--detector", "learner"],
        "detector learner: learns from anom",
    ),
    "no ending": (["--out", "tuned"], "tuned: a recipe is written, and its file's name ends with .yaml"),
    "a directory": (["--out", "folder.yaml"], "folder.yaml: is a directory; give the name of a file"),
    "a URL": (["--out", "s3://bucket/tuned.yaml"], "is a URL; a tuned recipe is written to a file of this"),
    "below a file": (["--out", "r.yaml/tuned.yaml"], "r.yaml: "),
    "the recipe itself": (
        ["--out", "./r.yaml"],
        "r.yaml: is the recipe itself, whose comments would be lost",
    ),
    "few images": (["--source", "few"], "source few: has 3 different normal images, and at least 8 are"),
    "copies": (["--source", "copies"], "source copies: has 1 different normal images, and at least 8 are"),
    "no images": (["--source", "empty"], "empty has no image"),
    "several products": (["--source", "several"], r"the source has 2 products \(nut, screw\)"),
}


@pytest.mark.parametrize("case", CANNOT)
def test_what_cannot_be_tuned_is_one_line_and_nothing_is_written(case: str, here: Path, run: Run) -> None:
    (here / "folder.yaml").mkdir()
    write_products(here / "few", count=3)
    write_products(here / "copies", count=9, step=0)
    (here / "empty").mkdir()
    for name, least in (("nut", 50), ("screw", 150)):
        write_products(here / "several" / name / "train" / "good", count=8, least=least)
        write_products(here / "several" / name / "test" / "good", count=1)
    arguments, told = CANNOT[case]
    before = (here / "r.yaml").read_text()
    tune(run, *arguments).assert_refused(told)
    assert not list(here.glob("tuned*"))
    assert (here / "r.yaml").read_text() == before
