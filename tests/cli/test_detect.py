"""`synthgen detect` and `synthgen evaluate`: known numbers, whole files, and one line for what cannot be."""

import csv
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch

from synthgen.detectors import registry
from synthgen.evaluation.report import Report
from tests.cli.helpers import Result, Run
from tests.evaluation.sets import (
    IMAGE_AUROC,
    PATCH,
    PIXEL_AUROC,
    Brightness,
    make_shards,
    mvtec_category,
    picture,
    save,
)

SMALL = ("--weights", "random", "--device", "cpu", "--set", "image_size=32")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set of two categories and a folder of pictures; the method ``brightness`` is known."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry.DETECTORS, "brightness", Brightness)
    for category in ("nut", "bolt"):
        mvtec_category(tmp_path / "parts" / category)
    for number, level in enumerate((50, 200)):
        save(tmp_path / "pictures" / "below" / f"{number}.png", picture(level))
    return tmp_path


@pytest.fixture
def fitted(here: Path, run: Run) -> Path:
    assert run("detect", "fit", "brightness", "parts/nut", "--out", "fitted", *SMALL).code == 0
    return here / "fitted"


def scores(text: str) -> dict[str, float]:
    return {row["path"]: float(row["score"]) for row in csv.DictReader(StringIO(text))}


def report_of(folder: Path) -> Report:
    return Report.model_validate_json((folder / "report.json").read_bytes())


def values(report: Report, level: str, metric: str) -> list[float]:
    return [getattr(each, level)[metric].value for category in report.categories for each in category.runs]


def test_fit_and_score(fitted: Path, here: Path, run: Run) -> None:
    result = run("detect", "score", "fitted", "pictures", "--maps", "maps", "--device", "cpu")
    assert result.code == 0
    assert scores(result.out) == pytest.approx({"below/0.png": 50, "below/1.png": 200}, abs=1e-3)
    scored = np.load(here / "maps" / "below" / "1.png.npy")
    assert (scored.shape, scored.dtype) == ((32, 32), np.float32)
    assert scored[PATCH] == pytest.approx(200, abs=1e-3)
    assert sorted(path.name for path in (here / "maps" / "below").iterdir()) == ["0.png.npy", "1.png.npy"]

    one = run("detect", "score", "fitted", "pictures/below/1.png", "--out", "one.csv")
    assert one.out == "one.csv: 1 scores\n"
    assert scores((here / "one.csv").read_text()) == pytest.approx({"1.png": 200}, abs=1e-3)


def test_a_real_method_end_to_end(here: Path, run: Run) -> None:
    for number in range(6):
        save(here / "parts" / "nut" / "train" / "good" / f"{number}.png", picture(50 + number))
    command = ("evaluate", "padim", "parts", "--categories", "nut", "--seeds", 2, *SMALL)
    first = run(*command, "--out", "report")
    assert first.code == 0
    assert "| nut " in first.out
    again = run(*command, "--out", "again")
    assert (here / "report" / "report.json").read_bytes() == (here / "again" / "report.json").read_bytes()
    assert again.out.replace("again", "report") == first.out
    runs = report_of(here / "report").categories[0].runs
    assert [each.seed for each in runs] == [0, 1]
    assert runs[0].pixel != runs[1].pixel

    assert run("detect", "fit", "padim", "parts/nut", "--out", "model", "--seed", 1, *SMALL).code == 0
    assert run("evaluate", "model", "parts/nut", "--device", "cpu", "--out", "of-model").code == 0
    assert report_of(here / "of-model").categories[0].runs[0].pixel == runs[1].pixel


def test_evaluate_by_hand(here: Path, run: Run) -> None:
    save(here / "parts" / "bolt" / "test" / "good" / "1.png", picture(70))  # now all is right
    result = run("evaluate", "brightness", "parts", "--out", "report", *SMALL)
    assert result.code == 0
    report = report_of(here / "report")
    assert [category.category for category in report.categories] == ["bolt", "nut"]
    assert values(report, "image", "auroc") == pytest.approx([1] * 3 + [IMAGE_AUROC] * 3)
    assert values(report, "pixel", "auroc") == pytest.approx([1] * 3 + [PIXEL_AUROC] * 3)
    assert [category.fitted_on for category in report.categories] == [2, 2]
    assert [(category.normal, category.anomalous) for category in report.categories] == [(2, 2)] * 2
    assert "0.875 ± 0.000" in result.out  # the mean of 1 and 3/4
    assert (here / "report" / "report.md").read_text().count("\n| ") == 9  # two tables
    assert (here / "report" / "nut" / "roc.svg").is_file()
    assert (here / "report" / "bolt" / "maps-01.png").is_file()
    assert not list((here / "report").rglob(".*"))
    assert str(here) not in (here / "report" / "report.json").read_text()


def test_evaluate_by_the_name_of_a_layout(here: Path, run: Run) -> None:
    result = run("evaluate", "brightness", "mpdd", "--root", "parts", "--seeds", 1, "--out", "report", *SMALL)
    assert result.code == 0
    assert report_of(here / "report").layout == "mpdd"


def test_evaluate_a_fitted_detector(fitted: Path, here: Path, run: Run) -> None:
    assert run("evaluate", "fitted", "parts", "--categories", "nut", "--out", "report").code == 0
    (category,) = report_of(here / "report").categories
    assert (category.runs[0].seed, category.fitted_on, category.notes) == (None, None, [])
    assert category.runs[0].image is not None
    assert category.runs[0].image["auroc"].value == pytest.approx(IMAGE_AUROC)


def test_the_report_tells_what_a_reader_must_know(here: Path, run: Run) -> None:
    nut = here / "parts" / "nut"
    (nut / "train" / "good" / "broken.png").write_bytes(b"broken")
    save(nut / "train" / "good" / "copy.png", picture(60))  # which is a test image, too
    command = ("evaluate", "brightness", "parts/nut", "--seeds", 1, *SMALL)
    result = run(*command, "--on-bad-image", "skip", "--out", "report")
    assert result.code == 0
    assert report_of(here / "report").categories[0].notes == [
        "1 of the test images are also among the images that were fitted on",
        "1 normal images could not be used for fitting, the first: train/good/broken.png: the file starts "
        "with 'broken'; a PNG, JPEG, BMP, TIFF, WebP or PBM/PGM/PPM image is expected",
    ]
    assert "note: nut: 1 of the test images" in result.err
    for path in nut.glob("test/good/*"):
        path.unlink()
    result = run(*command, "--on-bad-image", "skip")
    assert "no test image is normal, so image metrics and AUPIMO cannot be measured" in result.err
    assert "| nut      | 0 + 2  | –" in result.out


def test_shards_are_judged_apart_from_what_is_fitted_on(here: Path, run: Run) -> None:
    make_shards(here, 8, "held-out")
    assert run("evaluate", "brightness", "shards", "--seeds", 1, "--out", "report", *SMALL).code == 0
    (category,) = report_of(here / "report").categories
    assert (category.category, category.fitted_on) == ("waves", 7)

    assert run("detect", "fit", "brightness", "shards", "--out", "of-shards", *SMALL).code == 0
    assert len(json.loads((here / "of-shards" / "images.json").read_text())["sha256"]) == 7
    assert run("evaluate", "of-shards", "shards").code == 0
    assert run("detect", "fit", "brightness", "waves", "--out", "of-all", *SMALL).code == 0
    run("evaluate", "of-all", "shards").assert_refused(
        "3 of the normal images that the samples of waves are made of were fitted on; fit on the directory"
    )


def test_the_normal_images_of_shards_may_have_moved(here: Path, run: Run) -> None:
    make_shards(here, 8, "held-out")
    command = ("evaluate", "brightness", "shards", "--seeds", 1, *SMALL)
    before = run(*command).out
    (here / "waves").rename(here / "moved")
    for number, file in enumerate(sorted((here / "moved").iterdir())):
        file.rename(here / "moved" / f"renamed {number}.png")
    gone = "and now not any more .*; where the normal images moved, say where to with --source"
    run(*command).assert_refused(gone, code=1)
    fitting = ("detect", "fit", "brightness", "shards", *SMALL)
    run(*fitting, "--out", "without").assert_refused(gone, code=1)

    assert run(*command, "--source", "moved").out == before
    found = run(*fitting, "--out", "with", "--source", "moved")
    assert found.out == "with: brightness fitted on 7 images\n"
    for wrong in (command, (*fitting, "--out", "wrong")):
        run(*wrong, "--source", "pictures").assert_refused("pictures holds none of the 10 normal images")


def test_a_source_beside_anything_but_shards_is_refused(here: Path, run: Run) -> None:
    run("evaluate", "brightness", "parts", "--source", "pictures", *SMALL).assert_refused_at_once(
        r"source pictures: is for the normal images of shards, and parts is a data set \(mvtec\); leave"
    )
    fit(run, "--source", "pictures").assert_refused_at_once(
        "parts/nut is no directory of shards; leave it out"
    )


def test_images_that_cannot_be_scored(fitted: Path, here: Path, run: Run) -> None:
    (here / "pictures" / "a.png").write_bytes(b"broken")
    result = run("detect", "score", "fitted", "pictures")
    result.assert_refused("1 of 3 images could not be scored; the others are written", code=1)
    assert "skipped a.png: the file starts with 'broken'" in result.err
    assert list(scores(result.out)) == ["below/0.png", "below/1.png"]


@pytest.mark.parametrize("content", [b"broken", b"", b"\x89PNG\r\n\x1a\n"])
def test_a_normal_image_that_cannot_be_used_stops_the_fit_unless_it_is_to_be_skipped(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (here / "parts" / "nut" / "train" / "good" / "0.png").write_bytes(content)
    told = (
        r"^synthgen: train/good/0.png: the .*; repair or remove it, or leave it out by --on-bad-image skip$"
    )
    with monkeypatch.context() as patch:
        patch.setattr(Brightness, "fit", lambda *_: pytest.fail("something was fitted"))
        fit(run).assert_refused(told)
        run("evaluate", "brightness", "parts/nut", *SMALL).assert_refused(told)
    assert not (here / "out" / "detector.json").exists()
    result = fit(run, "--on-bad-image", "skip")
    assert (result.code, result.out) == (0, "out: brightness fitted on 1 images\n")
    assert result.err.startswith("skipped train/good/0.png: the ")


def test_a_fit_that_was_interrupted_is_done_again(here: Path, run: Run) -> None:
    (here / "fitted").mkdir()
    (here / "fitted" / "images.json").write_text("{}")
    (here / "fitted" / ".backbone.safetensors.host.7.partial").write_text("")
    assert run("detect", "fit", "brightness", "parts/nut", "--out", "fitted", *SMALL).code == 0


def fit(run: Run, *more: object, method: str = "brightness", source: str = "parts/nut") -> Result:
    return run("detect", "fit", method, source, "--out", "out", *SMALL, *more)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--set", "image_size=8"], "image_size: expected 32 or more, found 8"),
        (["--set", "image_sise=64"], "image_sise: unknown field .*; did you mean image_size?"),
        (["--seed", "-1"], "expected a whole number of 0 or more, found '-1'"),
        (["--backbone", "vgg"], "invalid choice: 'vgg'"),
        (["--categories", "bolt"], "has no category 'bolt', only nut"),
        (
            ["--out", "pictures"],
            "pictures: holds below, which is no part of a detector; choose another --out",
        ),
        (["--out", "parts/nut/test/good/0.png"], "0.png: is a file; the output must be a directory"),
        (["--out", "s3://bucket/model"], "s3://bucket/model: is a URL"),
        (["--out", ""], "expected a path or URL"),
    ],
)
def test_fits_that_cannot_be(here: Path, run: Run, more: list[str], told: str) -> None:
    fit(run, *more).assert_refused(told)
    assert not (here / "out" / "detector.json").exists()


def test_other_fits_that_cannot_be(here: Path, run: Run) -> None:
    fit(run, method="padin").assert_refused(
        "method 'padin' is not known; one of padim, patchcore, simplenet, cutpaste"
    )
    fit(run, "--weights", "none.pth", method="padim").assert_refused("none.pth: there is no such file")
    fit(run, source="none").assert_refused("none does not exist")
    for path in (here / "parts" / "nut" / "train" / "good").iterdir():
        path.write_bytes(b"broken")
    fit(run, "--on-bad-image", "skip").assert_refused(
        "none of the 2 normal images can be used; the first: train/good/0.png"
    )


def test_a_fitted_detector_is_not_written_over(fitted: Path, run: Run) -> None:
    run("detect", "fit", "brightness", "parts/nut", "--out", "fitted", *SMALL).assert_refused(
        "fitted: holds a fitted detector already; choose another --out, or remove it"
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there(here: Path, run: Run) -> None:
    fit(run, "--device", "cuda").assert_refused("finds no CUDA device")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none", "pictures"], "detector none: has no detector.json"),
        (["fitted", "none"], "none does not exist"),
        (["fitted", "parts/nut/ground_truth/none"], "does not exist"),
        (["fitted", "pictures", "--out", "pictures"], "pictures: is not a file; choose another --out"),
        (
            ["fitted", "pictures", "--maps", "pictures/below/0.png"],
            "0.png: is a file; the output must be a directory",
        ),
    ],
)
def test_scoring_that_cannot_be(fitted: Path, run: Run, arguments: list[str], told: str) -> None:
    run("detect", "score", *arguments).assert_refused(told)


def test_scoring_an_empty_folder(fitted: Path, here: Path, run: Run) -> None:
    (here / "empty").mkdir()
    run("detect", "score", "fitted", "empty").assert_refused("empty: has no image; png, jpg")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["brightnes", "parts"], "brightnes: is neither a method .padim, .* nor a directory"),
        (["pictures", "parts"], "detector pictures: has no detector.json"),
        (
            ["brightness", "pictures", *SMALL],
            "pictures has no split_csv/1cls.csv, no test/<defect type> or <category>/test",
        ),
        (["brightness", "none", *SMALL], "none does not exist"),
        (["brightness", "parts", "--root", "parts", *SMALL], "data set 'parts' is not known; with --root"),
        (
            ["brightness", "parts", "--categories", "nuts", *SMALL],
            "no category 'nuts', only bolt, nut; did you",
        ),
        (["brightness", "parts", "--seeds", "0", *SMALL], "expected a whole number of 1 or more"),
        (
            ["brightness", "parts", "--out", "parts/nut/test/good/0.png", *SMALL],
            "0.png: is a file; the output must be a directory",
        ),
        (["fitted", "parts", "--seeds", "2"], "--seeds: fitted is fitted already; leave it out"),
        (["fitted", "parts", "--weights", "random"], "--weights: fitted is fitted already"),
        (["fitted", "parts", "--set", "image_size=64"], "--set: fitted is fitted already"),
        (["fitted", "parts", "--on-bad-image", "skip"], "--on-bad-image: fitted is fitted already"),
    ],
)
def test_evaluations_that_cannot_be(fitted: Path, run: Run, arguments: list[str], told: str) -> None:
    run("evaluate", *arguments).assert_refused(told)


def test_labels_are_looked_at_before_anything_is_fitted(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "parts" / "nut" / "ground_truth" / "crack" / "1_mask.png").unlink()  # of the last category
    monkeypatch.setattr(Brightness, "fit", lambda *_: pytest.fail("something was fitted"))
    run("evaluate", "brightness", "parts", "--out", "report", *SMALL).assert_refused(
        "^synthgen: nut/test/crack/1.png is anomalous and has no mask"
    )
    assert not list((here / "report").iterdir())


def test_what_is_fitted_on_may_be_damaged(fitted: Path, run: Run) -> None:
    (fitted / "images.json").write_text("[")
    run("evaluate", "fitted", "parts").assert_refused("images.json: cannot be read")
    (fitted / "images.json").unlink()
    result = run("evaluate", "fitted", "parts")
    assert result.code == 0
    assert "note: nut: the detector does not say which images it was fitted on" in result.err
