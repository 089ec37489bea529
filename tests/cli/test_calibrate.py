"""`synthgen detect calibrate`, and OK or NG in `synthgen detect score`."""

import json
from pathlib import Path

import numpy as np
import pytest

from synthgen.detectors import registry
from synthgen.evaluation import calibrate as module
from tests.cli.helpers import Run
from tests.cli.test_detect import SMALL
from tests.evaluation.sets import Brightness, make_shards, picture, save
from tests.twelve_bits import deep

LEVELS = range(100, 199)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Path:
    """The detector ``fitted`` of the pictures in ``good``; 99 others, and ``new`` ones of 150 and 250."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry.DETECTORS, "brightness", Brightness)
    monkeypatch.setattr(module, "SAMPLES", 24)
    for level in (50, 55):
        save(tmp_path / "good" / f"{level}.png", picture(level))
    for level in LEVELS:
        save(tmp_path / "others" / f"{level}.png", picture(level))
    for level in (150, 198, 250):
        save(tmp_path / "new" / f"{level}.png", picture(level))
    assert run("detect", "fit", "brightness", "good", "--out", "fitted", *SMALL).code == 0
    return tmp_path


def test_from_normal_images_to_ok_and_ng(here: Path, run: Run) -> None:
    """A picture that equals the brightest good one is OK."""
    before = run("detect", "score", "fitted", "new", "--device", "cpu")
    assert before.out.splitlines()[0] == "path,score" and before.err == ""

    result = run("detect", "calibrate", "fitted", "--normal", "others", "--device", "cpu")
    assert (result.code, result.err) == (0, "")
    assert result.out == (
        "threshold 198: at most 1.0 % of good products are called NG on average (with 95 % confidence at "
        "most 3.0 %), from 99 held-out images\n"
    )
    after = run("detect", "score", "fitted", "new", "--device", "cpu")
    assert after.code == 0
    plain = before.out.splitlines()
    assert after.out.splitlines() == [
        "path,score,verdict",
        f"{plain[1]},OK",
        f"{plain[2]},OK",
        f"{plain[3]},NG",
    ]
    assert after.err == "1 of 3 images are NG: their scores lie above 198\n"
    written = run("detect", "score", "fitted", "new", "--device", "cpu", "--out", "new.csv")
    assert written.out == "new.csv: 3 scores\n1 of 3 images are NG: their scores lie above 198\n"
    assert (here / "new.csv").read_text() == after.out

    (here / "fitted" / "calibration.json").unlink()
    without = run("detect", "score", "fitted", "new", "--device", "cpu")
    assert (without.out, without.err) == (before.out, "")


def test_what_is_found_of_a_recipe_s_defects(here: Path, run: Run) -> None:
    result = run(
        *("detect", "calibrate", "fitted", "--normal", "others", "--anomalies", "mixed"),
        *("--false-alarms", "0.05"),
    )
    assert result.code == 0, result
    assert "threshold 194: at most 5.0 % of good products" in result.out
    assert "\ndefects found, mixed on 2" in result.out
    for group in ("all ", "method cutpaste ", "size small, ", "contrast high, "):
        assert f"\n{group}" in result.out
    kept = json.loads((here / "fitted" / "calibration.json").read_text())
    assert (kept["asked"], kept["anomalies"], kept["recalls"][0]["samples"]) == (0.05, "mixed", 24)
    assert str(here) not in json.dumps(kept)


def test_a_detector_of_shards_is_calibrated_by_what_they_hold_out(here: Path, run: Run) -> None:
    make_shards(here, 16, "held-out")
    assert run("detect", "fit", "brightness", "shards", "--out", "of-shards", *SMALL).code == 0
    result = run("detect", "calibrate", "of-shards", "--normal", "shards", "--anomalies", "shards")
    assert result.code == 0, result
    assert result.err == (
        "note: with 3 held-out images no threshold can promise less than 25.0 % false alarms, so that is "
        "what this one promises; 1.0 % takes 99 images or more\n"
    )
    assert "at most 25.0 % of good products" in result.out
    assert "defects found, shards on 3 held-out images:" in result.out


def test_one_image_can_promise_a_half(here: Path, run: Run) -> None:
    save(here / "one" / "150.png", picture(150))
    result = run("detect", "calibrate", "fitted", "--normal", "one")
    assert result.code == 0, result
    assert "note: with 1 held-out image no threshold can promise less than 50.0 % false alarms" in result.err
    assert result.out.startswith("threshold 150: at most 50.0 % of good products")


@pytest.mark.parametrize("share", ["0", "1", "abc", "1%", "nan", "-0.1", ""])
def test_shares_that_are_none(share: str, here: Path, run: Run) -> None:
    run("detect", "calibrate", "fitted", "--normal", "others", f"--false-alarms={share}").assert_refused(
        f"argument --false-alarms: expected a share above 0 and below 1, such as 0.01, found '{share}'"
    )


def test_what_cannot_be(here: Path, run: Run) -> None:
    save(here / "deep" / "0.png", deep(picture(100)[..., 0]))
    refused = [
        (["fitted"], "the following arguments are required: --normal"),
        (["none", "--normal", "others"], "detector none: has no detector.json"),
        (["fitted", "--normal", "none"], "none does not exist"),
        (
            ["fitted", "--normal", "good"],
            "good: all 2 normal images were fitted on; give other good pictures",
        ),
        (
            ["fitted", "--normal", "deep"],
            "0.png: the image has 16 bits, and the detector is fitted on images",
        ),
        (["fitted", "--normal", "others", "--anomalies", "sia"], "makes whole images that have no mask"),
        (["fitted", "--normal", "others", "--anomalies", "nsaa"], "did you mean nsa?"),
        (
            ["fitted", "--normal", "others", "--categories", "nut"],
            "which has no categories, so nut cannot be chosen",
        ),
    ]
    for arguments, told in refused:
        run("detect", "calibrate", *arguments).assert_refused(told.replace("?", r"\?"))
    assert not (here / "fitted" / "calibration.json").exists()


def test_a_damaged_calibration_stops_scoring(here: Path, run: Run) -> None:
    (here / "fitted" / "calibration.json").write_bytes(b"\xff\xfe")
    run("detect", "score", "fitted", "new").assert_refused_at_once(
        "calibration.json: is damaged, or of another version .*; run `synthgen detect calibrate` again"
    )
    assert run("detect", "calibrate", "fitted", "--normal", "others").code == 0
    assert run("detect", "score", "fitted", "new").code == 0


def test_a_real_method_keeps_its_promise(here: Path, run: Run) -> None:
    """20 held-out images, 40 to come: of these, about at most what is said with 95 % confidence is NG."""
    stream = np.random.default_rng(0)
    for folder, count in (("fit", 20), ("held", 20), ("come", 40)):
        for number in range(count):
            pixels = picture(150).astype(int) + stream.integers(-20, 20, (32, 32, 1))
            save(here / folder / f"{number:03d}.png", pixels.clip(0, 255).astype(np.uint8))
    assert run("detect", "fit", "padim", "fit", "--out", "padim", "--set", "channels=20", *SMALL).code == 0
    assert run("detect", "calibrate", "padim", "--normal", "held", "--false-alarms", "0.1").code == 0
    kept = json.loads((here / "padim" / "calibration.json").read_text())["threshold"]
    verdicts = [line.rsplit(",")[-1] for line in run("detect", "score", "padim", "come").out.splitlines()[1:]]
    assert 0 < verdicts.count("NG") / len(verdicts) <= kept["upper"]
