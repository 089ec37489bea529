"""Pictures of 12 bits through every command: the same comes out as of the same pictures in 8 bits."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthgen.detectors import registry
from synthgen.evaluation.report import Report
from synthgen.images.decode import decode
from synthgen.recipe.files import load_recipe
from synthgen.shards.reader import read_sample
from tests.cli.helpers import AS_IT_SHOULD_BE, Result, Run
from tests.cli.test_detect import SMALL, scores
from tests.evaluation.sets import Brightness
from tests.twelve_bits import BRIGHTEST, SIDE, deep, picture, save, save_both


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten pictures in ``eight`` and ``twelve``, half of each in ``half``; a method ``brightness``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry.DETECTORS, "brightness", Brightness)
    for number in range(10):
        save_both(tmp_path, f"{number:03d}", picture(number))
        of = f"eight/{number:03d}.png" if number % 2 else f"twelve/{number:03d}.tif"
        (tmp_path / "half").mkdir(exist_ok=True)
        (tmp_path / "half" / Path(of).name).write_bytes((tmp_path / of).read_bytes())
    return tmp_path


def labelled(root: Path) -> None:
    """The data sets ``eight`` and ``twelve`` in the layout of MVTec AD, by the same pictures."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[40:48, 20:40] = 255
    for kind in ("eight", "twelve"):
        for number in range(3):
            save(root / kind / "nut" / "ground_truth" / "crack" / f"{number}_mask.png", mask)
    for number in range(4):
        save_as(root, f"nut/train/good/{number}", picture(number))
    for number in range(3):
        save_as(root, f"nut/test/good/{number}", picture(20 + number))
        cracked = picture(30 + number)
        cracked[mask > 0] = 60 + 80 * number
        save_as(root, f"nut/test/crack/{number}", cracked)


def save_as(root: Path, name: str, pixels: np.ndarray) -> None:
    save(root / "eight" / f"{name}.png", pixels)
    save(root / "twelve" / f"{name}.tif", deep(pixels))


def metrics(folder: Path) -> list[object]:
    report = Report.model_validate_json((folder / "report.json").read_bytes())
    return [(run.seed, run.image, run.pixel) for category in report.categories for run in category.runs]


def test_init_and_check_tell_the_range(here: Path, run: Run) -> None:
    assert run("init", "twelve", "--out", "r.yaml").code == 0
    text = (here / "r.yaml").read_text()
    assert "# Found by auto: 0 … 4080 becomes 0 … 255 in 10 images.\nintensity_range: auto" in text
    assert "\n# intensity_range: [0, 4080]\n" in text
    checked = run("check", "r.yaml", "--count", 24)
    assert checked.code == 0
    assert "\n16 bits      0 … 4080 becomes 0 … 255 in 10 images\n" in checked.out
    chosen = run("check", "r.yaml", "--count", 24, "--set", "intensity_range=[1000, 4095]")
    assert (
        "\n16 bits      1000 … 4095 becomes 0 … 255 in 10 images; values beyond are clipped, in 10"
        in chosen.out
    )
    assert "16 bits" not in run("check", "r.yaml", "--count", 24, "--source", "eight").out
    (here / "r.yaml").unlink()
    run("init", "eight", "--out", "r.yaml")
    assert "Found by auto: 0 …" not in (here / "r.yaml").read_text()
    assert load_recipe(here / "r.yaml").intensity_range == "auto"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[9, 3]", r"intensity_range: a range is \[low, high\], and 9 is not below 3"),
        ("[7, 7]", r"intensity_range: a range is \[low, high\], and 7 is not below 7"),
        ("[0, 65536]", r"intensity_range\[1\]: expected at most 65535, found 65536"),
        ("[-1, 9]", r"intensity_range\[0\]: expected 0 or more, found -1"),
        ("[0.5, 9]", r"intensity_range\[0\]: expected a whole number, found 0.5"),
        ("full", "intensity_range: expected a list of 2 whole numbers or auto, found full"),
    ],
)
def test_a_range_that_cannot_be(here: Path, run: Run, written: str, told: str) -> None:
    run("check", "quickstart", "--source", "twelve", "--set", f"intensity_range={written}").assert_refused(
        told
    )


@pytest.mark.slow
def test_generate_verify_replay_and_preview(here: Path, run: Run) -> None:
    more = ("--set", "size=native", "--set", "output.keep_normal=true", "--set", "split=all")
    made = run(
        "generate", "mixed", "--source", "twelve", "--count", 12, "--out", "out", "--workers", 1, *more
    )
    assert made.code == 0, made.err
    for index in range(12):
        sample = read_sample("out/000000.tar", f"{index:09d}")
        name = json.loads(sample.members["json"])["source_path"]
        assert np.array_equal(decode(sample.members["normal.png"])[..., 0], picture(int(Path(name).stem)))
    for source in ((), ("--source", "twelve")):
        verified = run("verify", "out", *source)
        assert verified.code == 0
        assert verified.out.splitlines()[-1] == AS_IT_SHOULD_BE
    replayed = run("replay", "out/000000.tar", "000000003", "--source", "twelve", "--out", "again")
    assert replayed.code == 0
    assert "identical" in replayed.out
    for kind in ("eight", "twelve"):
        drawn = run(
            "preview",
            "cutout",
            "--source",
            kind,
            "-n",
            2,
            "--out",
            f"{kind}.png",
            "--set",
            "source.held_out=0",
        )
        assert drawn.code == 0, drawn.err
    assert Image.open("twelve.png").size == Image.open("eight.png").size


def fit(run: Run, source: str, *more: object) -> Result:
    return run("detect", "fit", "brightness", source, "--out", f"of-{source}", *SMALL, *more)


def test_fit_and_score(here: Path, run: Run) -> None:
    for source in ("eight", "twelve", "half"):
        fitted = fit(run, source)
        assert (fitted.code, fitted.err) == (0, "")
        assert fitted.out == f"of-{source}: brightness fitted on 10 images\n"
    assert json.loads((here / "of-twelve" / "detector.json").read_text())["depth16"] == [0, BRIGHTEST]
    assert json.loads((here / "of-eight" / "detector.json").read_text())["depth16"] is None
    known = list(scores(run("detect", "score", "of-eight", "eight").out).values())
    assert len(known) == 10
    for detector in ("of-twelve", "of-half"):
        for images in ("eight", "twelve", "half"):  # 8 bits are taken as they are
            assert list(scores(run("detect", "score", detector, images).out).values()) == known
    # A single picture is not scaled by a range of its own.
    save(here / "dim" / "0.tif", deep(picture(0)) // 2)
    assert scores(run("detect", "score", "of-twelve", "dim").out)["0.tif"] == pytest.approx(
        known[0] / 2, abs=1
    )


def test_a_detector_of_8_bits_takes_no_16(here: Path, run: Run) -> None:
    assert fit(run, "eight").code == 0
    scored = run("detect", "score", "of-eight", "half")
    scored.assert_refused("5 of 10 images could not be scored; the others are written", code=1)
    assert len(scores(scored.out)) == 5
    assert (
        "skipped 000.tif: the image has 16 bits, and the detector is fitted on images of 8; convert it to 8 "
        in scored.err
    )


def test_a_hot_pixel_does_not_change_the_scores(here: Path, run: Run) -> None:
    assert fit(run, "twelve").code == 0
    hot = deep(picture(0))
    hot[5, 5] = 65535
    save(here / "twelve" / "000.tif", hot)
    assert run("detect", "fit", "brightness", "twelve", "--out", "of-hot", *SMALL).code == 0
    assert json.loads((here / "of-hot" / "detector.json").read_text())["depth16"] == [0, BRIGHTEST]


def test_evaluate(here: Path, run: Run) -> None:
    labelled(here / "parts")
    for kind in ("eight", "twelve"):
        measured = run("evaluate", "padim", f"parts/{kind}", "--seeds", 1, "--out", f"{kind}-report", *SMALL)
        assert measured.code == 0, measured.err
        fitted = run("detect", "fit", "brightness", f"parts/{kind}/nut", "--out", f"of-{kind}", *SMALL)
        assert fitted.code == 0, fitted.err
        assert run("evaluate", f"of-{kind}", f"parts/{kind}", "--out", f"{kind}-fitted").code == 0
    assert metrics(here / "twelve-report") == metrics(here / "eight-report")
    assert metrics(here / "twelve-fitted") == metrics(here / "eight-fitted")
    run("evaluate", "of-eight", "parts/twelve").assert_refused(
        "^synthgen: nut/test/crack/0.tif: the image has 16 bits, and the detector is fitted on images of 8"
    )


@pytest.mark.slow
def test_shards_of_16_bits_are_fitted_on_by_their_plan(here: Path, run: Run) -> None:
    made = run(
        *("generate", "cutout", "--source", "twelve", "--count", 6, "--out", "out", "--workers", 1),
        *("--set", "split=held-out", "--set", "intensity_range=[0, 8160]"),
    )
    assert made.code == 0, made.err
    assert run("evaluate", "brightness", "out", "--seeds", 1, *SMALL).code == 0
    assert run("detect", "fit", "brightness", "out", "--out", "of-shards", *SMALL).code == 0
    assert json.loads((here / "of-shards" / "detector.json").read_text())["depth16"] == [0, 8160]
    assert scores(run("detect", "score", "of-shards", "twelve/000.tif").out)["000.tif"] <= 128


def test_test_images_are_looked_at_before_anything_is_fitted(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the last category: a picture of 16 bits beside normal ones of 8, and a damaged normal one."""
    labelled(here / "parts")
    eight = here / "parts" / "eight"
    (eight / "nut").rename(eight / "a")
    labelled(here / "parts")
    monkeypatch.setattr(Brightness, "fit", lambda *_: pytest.fail("something was fitted"))
    (eight / "nut" / "test" / "good" / "1.png").unlink()
    save(eight / "nut" / "test" / "good" / "1.tif", deep(picture(1)))
    evaluate = ("evaluate", "brightness", "parts/eight", *SMALL)
    run(*evaluate).assert_refused(
        "^synthgen: nut/test/good/1.tif: the image has 16 bits, and the detector is"
    )
    (eight / "nut" / "train" / "good" / "3.png").write_bytes(b"broken")
    run(*evaluate).assert_refused(
        "^synthgen: nut/train/good/3.png: the file starts with 'broken'.*; repair or remove it, or leave it "
        "out by --on-bad-image skip$"
    )
    (eight / "nut" / "test" / "good" / "2.png").write_bytes(b"broken")
    run(*evaluate).assert_refused("^synthgen: nut/test/good/2.png: the file starts with 'broken'")
