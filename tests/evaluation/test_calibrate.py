"""Calibrating a detector whose scores are known: what is taken, what is left out, and what is kept."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import cv2
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from synthgen.detectors import registry
from synthgen.detectors.choice import DetectorChoice
from synthgen.errors import InputError, RunError
from synthgen.evaluation import calibrate as module
from synthgen.evaluation.calibrate import calibrate
from synthgen.evaluation.calibration import Calibration, read_calibration
from synthgen.evaluation.fit import fit_detector
from synthgen.evaluation.score import score
from synthgen.pipeline.pipeline import Pipeline
from synthgen.recipe.files import load_recipe
from synthgen.sample import Facts
from synthgen.shards.reader import open_directory, read_plan
from tests.evaluation.sets import Brightness, make_shards, picture, save
from tests.shards.helpers import write_normals
from tests.twelve_bits import picture as part
from tests.twelve_bits import save_both

SMALL = DetectorChoice("brightness", {"image_size": 64}, device="cpu")
LEVELS = range(100, 200, 5)
"""Of the normal images that are held out, which are their scores."""


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.DETECTORS, "brightness", Brightness)
    monkeypatch.setattr(module, "SAMPLES", 24)


@pytest.fixture
def fitted(tmp_path: Path) -> Path:
    """A detector; beside it the folder ``good`` that it was fitted on, and ``others``."""
    for level in (50, 55):
        save(tmp_path / "good" / f"{level}.png", picture(level, 64))
    for level in LEVELS:
        save(tmp_path / "others" / f"{level}.png", picture(level, 64))
    fit_detector(SMALL, tmp_path / "good", tmp_path / "fitted")
    return tmp_path / "fitted"


@pytest.fixture
def of_shards(tmp_path: Path) -> tuple[Path, Path]:
    """Shards of ten images, three of them held out, and a detector that was fitted on the others."""
    shards = make_shards(tmp_path, 24, "held-out")
    fit_detector(SMALL, shards, tmp_path / "of-shards")
    return shards, tmp_path / "of-shards"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The batches that the detector is shown, in their order."""
    seen: list[Tensor] = []
    predict = Brightness.predict

    def watched(self: Brightness, images: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(images)
        return predict(self, images)

    monkeypatch.setattr(Brightness, "predict", watched)
    return seen


def hashes(files: Sequence[Path]) -> list[str]:
    return sorted(sha256(file.read_bytes()).hexdigest() for file in files)


def test_the_threshold_is_one_of_the_scores_of_the_images_that_were_not_fitted_on(
    fitted: Path, tmp_path: Path
) -> None:
    """The third highest of twenty is 185; with the fitted ones among them it would be another."""
    save(tmp_path / "others" / "seen.png", picture(50, 64))
    save(tmp_path / "others" / "twin.png", picture(100, 64))
    found = calibrate(fitted, tmp_path / "others", false_alarms=0.15)
    assert found.threshold.value == pytest.approx(185, abs=1e-3)
    assert (found.threshold.false_alarms, found.threshold.images) == (3 / 21, 20)
    assert found.notes == [
        "1 of the 22 images were fitted on and are left out",
        "1 of the 22 images are copies of others and are left out",
    ]
    assert found.images_sha256 == hashes([tmp_path / "others" / f"{level}.png" for level in LEVELS])
    assert (found.asked, found.anomalies, found.recalls) == (0.15, None, [])
    assert read_calibration(fitted) == found


def test_all_images_are_taken_where_the_detector_does_not_say_what_it_was_fitted_on(
    fitted: Path, tmp_path: Path
) -> None:
    (fitted / "images.json").unlink()
    found = calibrate(fitted, tmp_path / "good")
    assert found.threshold.images == 2
    assert found.notes[0] == "the detector does not say which images it was fitted on, so all were taken"


def test_a_detector_that_lies_nowhere_is_calibrated_all_the_same(fitted: Path, tmp_path: Path) -> None:
    detector = fit_detector(SMALL, tmp_path / "good").detector
    found = calibrate(detector, tmp_path / "others", false_alarms=0.15)
    assert found.detector_sha256 is None
    assert found.threshold == calibrate(fitted, tmp_path / "others", false_alarms=0.15).threshold


def test_shards_give_their_held_out_images_and_samples(of_shards: tuple[Path, Path], tmp_path: Path) -> None:
    """Against the samples written as pictures, scored like any other, and counted by their facts."""
    shards, directory = of_shards
    plan = read_plan(open_directory(shards))
    found = calibrate(directory, shards, shards, false_alarms=0.3)
    held_out = [image for image in plan.images if image.split == "held-out"]
    assert found.images_sha256 == sorted(image.sha256 for image in held_out)
    by_name = score(directory, tmp_path / "waves", device="cpu").scores
    assert found.threshold.value == max(by_name[image.path] for image in held_out)

    facts: dict[str, Facts] = {}
    (tmp_path / "samples").mkdir()
    for sample in Pipeline(plan).samples(range(24)):
        if sample.facts.label:
            facts[f"{sample.facts.key}.png"] = sample.facts
            cv2.imwrite(str(tmp_path / "samples" / f"{sample.facts.key}.png"), sample.image[..., ::-1])
    verdicts = score(directory, tmp_path / "samples", device="cpu").verdicts
    ng = {name for name, verdict in verdicts.items() if verdict == "NG"}
    assert 0 < len(ng) < len(facts) < 24
    assert found.anomalies == "shards"
    for recall in found.recalls[:3]:
        own = [name for name in facts if recall.by == "all" or facts[name].method == recall.name]
        assert recall.samples == len(own)
        assert recall.value == pytest.approx(len(ng & set(own)) / len(own))
        assert recall.images == len({facts[name].source_sha256 for name in own}) <= 3
    sizes = [recall.range for recall in found.recalls if recall.by == "size"]
    assert sizes[0] and sizes[0][0] == min(one.area for one in facts.values())
    strengths = [recall.range for recall in found.recalls if recall.by == "contrast"]
    assert strengths[-1] and strengths[-1][1] == max(one.contrast for one in facts.values())


def test_of_pictures_that_samples_are_tiles_of_one_tile_each_is_scored(
    tmp_path: Path, shown: list[Tensor]
) -> None:
    shards = make_shards(tmp_path, 24, "held-out", size=[32, 32], resize="tile")
    choice = DetectorChoice("brightness", {"image_size": 32}, device="cpu")
    fit_detector(choice, shards, tmp_path / "of-shards")
    found = calibrate(tmp_path / "of-shards", shards, shards)
    pictures = [cv2.imread(str(file))[..., ::-1] for file in sorted((tmp_path / "waves").iterdir())]
    tiles = [sliding_window_view(each, (32, 32, 3)) for each in pictures]
    held_out = set()
    for image in shown[0]:
        pixels = image.mul(255).round().byte().permute(1, 2, 0).numpy()
        held_out |= {number for number, each in enumerate(tiles) if (each == pixels).all((-3, -2, -1)).any()}
    assert len(held_out) == len(shown[0]) == 3
    assert found.threshold.images == 3
    assert "(resize: tile, 32 x 32)" in found.notes[0]
    assert found.recalls[0].images == 3


def test_a_recipe_is_made_of_the_images_that_are_held_out(
    fitted: Path, tmp_path: Path, shown: list[Tensor]
) -> None:
    """Against the samples that the detector was shown."""
    found = calibrate(fitted, tmp_path / "others", load_recipe("cutpaste", ["foreground=all"]))
    assert found.anomalies == "cutpaste"
    normals, samples = torch.cat(shown)[:20], torch.cat(shown)[20:]
    assert len(samples) == found.recalls[0].samples == 24
    # Each sample equals one of the normal images but for its defect.
    least = torch.stack([(samples - normal).ne(0).any(1).float().mean((1, 2)) for normal in normals]).amin(0)
    assert (least > 0).all() and (least < 0.5).all()
    above = (255 * samples[:, 0]).amax((1, 2)) > found.threshold.value
    assert found.recalls[0].value == above.float().mean()


def test_the_samples_are_others_than_those_that_a_detector_learns_from(
    fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With equal numbers, a detector would know the masks and textures that it is judged by."""
    seeds = []
    monkeypatch.setattr(module, "anomalies_on", lambda images, recipe, seed, *_: seeds.append(seed) or 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            calibrate(fitted, tmp_path / "others", "cutpaste")
    assert seeds[0] == seeds[1] > 1000


def test_sixteen_bits_are_scaled_as_for_fitting(fitted: Path, tmp_path: Path) -> None:
    for number in range(9):
        save_both(tmp_path, f"{number}", part(number))
    for number in range(9, 14):
        save_both(tmp_path / "more", f"{number}", part(number) // 2)
    fit_detector(SMALL, tmp_path / "twelve", tmp_path / "deep")
    found = calibrate(tmp_path / "deep", tmp_path / "more" / "twelve", false_alarms=0.2)
    scores = score(tmp_path / "deep", tmp_path / "more" / "twelve", device="cpu").scores
    assert found.threshold.value == max(scores.values())
    assert found.threshold.value < 140  # of 255, where these pictures have a range of their own
    with pytest.raises(InputError, match=r"\.tif: the image has 16 bits, and the detector is fitted on"):
        calibrate(fitted, tmp_path / "more" / "twelve")


def test_images_that_cannot_be_used_stop_it_unless_they_are_to_be_skipped(
    fitted: Path, tmp_path: Path
) -> None:
    (tmp_path / "others" / "broken.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"broken\.png: the file starts with .*--on-bad-image skip"):
        calibrate(fitted, tmp_path / "others")
    found = calibrate(fitted, tmp_path / "others", false_alarms=0.1, on_bad_image="skip")
    assert found.threshold.images == 20
    assert "1 normal images could not be used, the first: broken.png: the file starts" in found.notes[0]


def test_what_cannot_be(fitted: Path, of_shards: tuple[Path, Path], tmp_path: Path) -> None:
    shards, directory = of_shards
    others = tmp_path / "others"
    refused: list[tuple[str, Path, Path, object]] = [
        ("good: all 2 normal images were fitted on; give other good", fitted, tmp_path / "good", None),
        ("makes whole images that have no mask of their own", fitted, others, "sia"),
        ("no such file, and no shipped recipe of that name; did you mean nsa", fitted, others, "nsaa"),
        ("good: is a folder; expected a recipe", fitted, others, tmp_path / "good"),
        ("detector .*good: has no detector.json", tmp_path / "good", others, None),
        ("none does not exist", fitted, tmp_path / "none", None),
    ]
    for told, detector, normal, anomalies in refused:
        with pytest.raises(InputError, match=told):
            calibrate(detector, normal, anomalies)  # type: ignore[arg-type]
    fit_detector(SMALL, tmp_path / "waves", tmp_path / "of-all")
    with pytest.raises(
        InputError, match="3 of the normal images that its samples are made of were fitted on"
    ):
        calibrate(tmp_path / "of-all", others, shards)
    with pytest.raises(InputError, match="shards: all 3 normal images were fitted on"):
        calibrate(tmp_path / "of-all", shards)
    with pytest.raises(InputError, match="has no category 'nuts', only waves"):
        calibrate(directory, shards, shards, categories=["nuts"])
    assert not list(tmp_path.rglob("calibration.json"))


def test_shards_without_what_is_held_out_are_refused(fitted: Path, tmp_path: Path) -> None:
    shards = make_shards(
        tmp_path,
        4,
        "all",
        source={"kind": "folder", "path": str(write_normals(tmp_path / "few")), "held_out": 0.0},
    )
    with pytest.raises(InputError, match="shards: its plan holds no normal image out; generate with"):
        calibrate(fitted, shards)
    with pytest.raises(InputError, match="shards: no sample is of a held-out image"):
        calibrate(fitted, tmp_path / "others", shards)


def test_shards_without_a_defect_are_refused(fitted: Path, tmp_path: Path) -> None:
    shards = make_shards(tmp_path, 1, "held-out", normal_share=0.999)
    with pytest.raises(InputError, match="shards: no held-out sample shows a defect with a mask of its own"):
        calibrate(fitted, tmp_path / "others", shards)


def test_samples_without_a_defect_are_left_out_and_counted(fitted: Path, tmp_path: Path) -> None:
    """A part of a grey picture that is pasted elsewhere in it cannot be seen, unless it holds the patch."""
    impossible = load_recipe("cutpaste", ["foreground=all", "judge.min_contrast=250"])
    with pytest.raises(InputError, match="cutpaste: no defect could be made in any of 24 samples"):
        calibrate(fitted, tmp_path / "others", impossible)
    found = calibrate(fitted, tmp_path / "others", load_recipe("cutpaste", ["foreground=all", "attempts=1"]))
    made = found.recalls[0].samples
    assert 0 < made < 24
    assert found.notes[-2] == f"in {24 - made} of 24 samples no defect could be made"


def test_scores_that_are_no_numbers_end_it(
    fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Brightness, "_score", lambda self, images: (images[:, 0, 0, 0] * torch.nan, 255 * images[:, 0])
    )
    with pytest.raises(RunError, match="brightness gave image 0 a score or map that is NaN or infinite"):
        calibrate(fitted, tmp_path / "others")
    assert not (fitted / "calibration.json").exists()


def test_a_calibration_is_written_over_whole_or_not_at_all(
    fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = calibrate(fitted, tmp_path / "others", false_alarms=0.1)
    second = calibrate(fitted, tmp_path / "others", false_alarms=0.2)
    assert first.threshold != second.threshold
    assert read_calibration(fitted) == second

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(RunError, match="no space left on the disk"):
            calibrate(fitted, tmp_path / "others", false_alarms=0.1)
    assert read_calibration(fitted) == second
    assert not list(fitted.glob(".*partial"))
    with pytest.raises(InputError, match="holds a fitted detector already"):
        fit_detector(SMALL, tmp_path / "good", fitted)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-20],
        lambda text: "",
        lambda text: text.replace('"calibration_version": 1', '"calibration_version": 2'),
        lambda text: text.replace('"value": ', '"value": NaN, "was": '),
        lambda text: text.replace('"asked": 0.1', '"asked": 7'),
        lambda text: json.dumps({"threshold": 1}),
        lambda text: "[" * 100_000,
    ],
)
def test_a_damaged_calibration_is_one_sentence(fitted: Path, tmp_path: Path, change: object) -> None:
    calibrate(fitted, tmp_path / "others", false_alarms=0.1)
    file = fitted / "calibration.json"
    file.write_text(change(file.read_text()))  # type: ignore[operator]
    with pytest.raises(InputError, match=r"calibration.json: is damaged.* `synthgen detect calibrate` again"):
        score(fitted, tmp_path / "others", device="cpu")
    calibrate(fitted, tmp_path / "others", false_alarms=0.1)
    assert read_calibration(fitted)


def test_a_calibration_of_another_detector_is_not_taken(fitted: Path, tmp_path: Path) -> None:
    calibrate(fitted, tmp_path / "others")
    other = DetectorChoice("brightness", {"image_size": 32}, device="cpu")
    fit_detector(other, tmp_path / "good", tmp_path / "other")
    (fitted / "calibration.json").rename(tmp_path / "other" / "calibration.json")
    with pytest.raises(InputError, match="is of another detector than the one beside it"):
        score(tmp_path / "other", tmp_path / "others", device="cpu")
    assert score(fitted, tmp_path / "others", device="cpu").threshold is None


def test_a_calibration_in_words() -> None:
    found = Calibration.model_validate(
        {
            "detector_sha256": None,
            "asked": 0.01,
            "threshold": {"value": 12.3, "false_alarms": 0.01, "upper": 0.0298, "images": 99},
            "images_sha256": [],
            "anomalies": "nsa",
            "recalls": [
                {
                    "by": "all",
                    "name": "all",
                    "samples": 60,
                    "images": 20,
                    "value": 0.5,
                    "low": 0.3,
                    "high": 0.7,
                },
                {
                    "by": "size",
                    "name": "small",
                    "range": [0.001, 0.023],
                    "samples": 20,
                    "images": 9,
                    "value": 1.0,
                    "low": 0.7,
                    "high": 1.0,
                },
            ],
        }
    )
    assert str(found).splitlines() == [
        "threshold 12.3: at most 1.0 % of good products are called NG on average (with 95 % confidence at "
        "most 3.0 %), from 99 held-out images",
        "",
        "defects found, nsa on 20 held-out images:",
        "                                      recall  95 % interval  samples  images",
        "all                                     0.50    0.30 – 0.70       60      20",
        "size small, 0.1 – 2.3 % of the image    1.00    0.70 – 1.00       20       9",
        "The intervals count as if all samples of an image were found or missed together.",
    ]
