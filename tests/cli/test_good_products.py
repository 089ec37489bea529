"""Good products beside others, by the command line: what is taken, what is said, what can be measured."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from synthgen.detectors import registry
from synthgen.evaluation.report import Report
from tests.cli.helpers import Run
from tests.evaluation.sets import IMAGE_AUROC, PIXEL_AUROC, Brightness, mvtec_category

SMALL = ("--weights", "random", "--device", "cpu", "--set", "image_size=32", "--seeds", 1)


@pytest.fixture
def data_set(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MVTec's layout, one level too low for ``up``; the method ``brightness`` is known."""
    monkeypatch.setitem(registry.DETECTORS, "brightness", Brightness)
    mvtec_category(here / "up/set/bottle")
    return here / "up/set/bottle"


def taken(here: Path, run: Run, *more: str) -> list[str]:
    """The paths of the normal images of a plan."""
    assert run("plan", "r.yaml", "--out", "plan.json", *more).code == 0
    return [image["path"] for image in json.loads((here / "plan.json").read_text())["images"]]


def measured(here: Path) -> tuple[float, float | None]:
    """Image and pixel AUROC of the one run of a report."""
    report = Report.model_validate_json((here / "report/report.json").read_bytes())
    [only] = report.categories[0].runs
    assert only.image is not None
    pixel = only.pixel["auroc"] if only.pixel else None
    return only.image["auroc"].value, pixel.value if pixel else None


def test_one_level_too_high_and_too_low(data_set: Path, here: Path, run: Run) -> None:
    good = sorted(path.name for path in (data_set / "train/good").iterdir())
    for source in ("up", "up/set", "up/set/bottle", "up/set/bottle/train", "up/set/bottle/train/good"):
        assert sorted(Path(path).name for path in taken(here, run, "--source", source)) == good
        assert all("train/good" in f"{source}/{path}" for path in taken(here, run, "--source", source))
    said = run("check", "r.yaml", "--source", "up").err
    assert "note: up: good products are those in set/bottle/train/good" in said
    for source in (
        "up/set/bottle/test/crack",
        "up/set/bottle/ground_truth",
        "up/set/bottle/ground_truth/crack",
    ):
        run("check", "r.yaml", "--source", source).assert_refused_at_once("good products are expected; give")


@pytest.mark.parametrize("command", ["check", "generate", "plan", "preview", "init", "detect", "sdas"])
def test_every_command_refuses_what_may_be_a_defect_and_takes_what_is_named(
    command: str, here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.DETECTORS, "brightness", Brightness)
    shutil.copytree(here / "good", here / "set/a")
    shutil.copytree(here / "good", here / "set/NG")
    words: dict[str, list[object]] = {
        "check": ["check", "r.yaml", "--source", "set"],
        "generate": ["generate", "r.yaml", "--workers", 1, "--out", "out", "--source", "set"],
        "plan": ["plan", "r.yaml", "--out", "plan.json", "--source", "set"],
        "preview": ["preview", "r.yaml", "-n", 1, "--source", "set"],
        "init": ["init", "set", "--out", "new.yaml"],
        "detect": ["detect", "fit", "brightness", "set", "--out", "out", *SMALL[:-2]],
        "sdas": ["sdas", "train", "set", "--out", "out", "--steps", 1],
    }
    run(*words[command]).assert_refused_at_once(
        r"set may hold more .* defects by their names in NG \(3\); give"
    )
    if command == "sdas":  # needs more pictures than these
        run(*words[command], "--normal", "a").assert_refused("the source has 3 images to train on")
    else:
        assert run(*words[command], "--normal", "A").code == 0


def test_a_recipe_of_init_says_which_folders_are_good(here: Path, run: Run) -> None:
    shutil.copytree(here / "good", here / "set/a")
    shutil.copytree(here / "good", here / "set/NG")
    assert run("init", "set", "--normal", "a", "--out", "new.yaml").code == 0
    assert "kind: folders, path: set, normal: [a]" in (here / "new.yaml").read_text()
    assert taken(here, run, "--source", "set", "--normal", "a") == ["a/00.png", "a/01.png", "a/02.png"]
    assert run("check", "new.yaml").code == 0


def test_normal_needs_folders(here: Path, run: Run) -> None:
    run("check", "quickstart", "--normal", "good").assert_refused_at_once(
        r"--normal: .*\(builtin\) has no folders"
    )
    assert len(taken(here, run, "--normal", "*.png")) == 3


@pytest.mark.parametrize(
    "names", [("Good", "broken", "mask"), ("OK", "NG", "GT"), ("Normal", "Xqz", "labels")]
)
def test_folders_measure_what_the_known_layout_measures(
    names: tuple[str, str, str], data_set: Path, here: Path, run: Run
) -> None:
    good, broken, masks = names
    shutil.copytree(data_set / "train/good", here / f"mine/train/{good}")
    shutil.copytree(data_set / "test/good", here / f"mine/test/{good}")
    shutil.copytree(data_set / "test/crack", here / f"mine/test/{broken}")
    shutil.copytree(data_set / "ground_truth/crack", here / f"mine/{masks}/{broken}")
    assert run("evaluate", "brightness", "mine", "--out", "report", *SMALL).code == 0
    assert measured(here) == pytest.approx((IMAGE_AUROC, PIXEL_AUROC))


def test_defects_without_masks_are_measured_by_images_alone(data_set: Path, here: Path, run: Run) -> None:
    shutil.rmtree(data_set / "ground_truth")
    for layout in ("up/set", "up"):  # MVTec's, and folders
        shutil.rmtree(here / "report", ignore_errors=True)
        result = run("evaluate", "brightness", layout, "--out", "report", *SMALL)
        assert result.code == 0
        assert "images without labels of their pixels are left out of pixel metrics" in result.err
        assert measured(here) == (IMAGE_AUROC, None)


def test_one_missing_mask_among_others_is_a_fault(data_set: Path, run: Run) -> None:
    masks = sorted((data_set / "ground_truth/crack").iterdir())
    assert len(masks) > 1
    masks[0].unlink()
    run("evaluate", "brightness", "up/set", *SMALL).assert_refused(
        "is anomalous and has no mask; add the mask"
    )


def test_our_own_pictures_lying_there_are_no_products(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here / "good")
    shutil.copy(here / "r.yaml", "r.yaml")
    own = ("--source", ".", "--set", "source.path=.")
    assert run("generate", "r.yaml", *own[2:], "--out", "shards", "--workers", 1).code == 0
    assert run("preview", "r.yaml", *own, "-n", 3).code == 0
    assert run("inspect", "shards", "--out", "histograms.png").code == 0
    assert run("replay", "shards/000000.tar", "000000001", "--source", ".", "--out", "replays").code == 0
    assert len(list(Path().rglob("*.png"))) == 3 + 1 + 1 + 3
    checked = run("check", "r.yaml", *own)
    assert "3 normal" in checked.out
    assert taken(here / "good", run, *own) == ["00.png", "01.png", "02.png"]


def test_a_mask_among_pictures_is_found_by_its_content(here: Path, run: Run) -> None:
    from tests.evaluation.sets import save

    save(here / "good/zzz/9.png", np.eye(64, dtype=np.uint8) * 255)
    run("check", "r.yaml").assert_refused_at_once(r"zzz/9\.png looks like a mask: .*--normal with names")
