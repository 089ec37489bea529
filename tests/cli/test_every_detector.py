"""Every method from the command line: fitted, asked for scores, and evaluated, without a network."""

import csv
import json
import sys
from io import StringIO
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from PIL import Image

from synthgen.evaluation.report import Report
from tests.cli.helpers import Run, process
from tests.detectors.methods import METHODS, OWN
from tests.detectors.teachers import use_thin_networks

SIDE = 64


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of one category: noisy grey plates, some with a bright disc."""
    root = tmp_path_factory.mktemp("parts") / "plate"
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for part, count in (("train/good", 6), ("test/good", 4), ("test/disc", 4)):
        for number in range(count):
            pixels = np.clip(generator.normal(110, 6, (SIDE, SIDE, 3)) + 20 * (rows > 30)[..., None], 0, 255)
            mask = np.hypot(rows - 20 - 5 * number, columns - 30) < 7
            if part == "test/disc":
                pixels[mask] = 250
                save(root / "ground_truth" / "disc" / f"{number}_mask.png", mask.astype(np.uint8) * 255)
            save(root / part / f"{number}.png", pixels.astype(np.uint8))
    return root.parent


def save(path: Path, pixels: np.ndarray) -> None:  # type: ignore[type-arg]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("method", OWN)
def test_fit_score_evaluate(
    method: str, parts: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_thin_networks(monkeypatch)
    given = {"image_size": SIDE, **METHODS[method].settings}
    settings = [text for name, value in given.items() for text in ("--set", f"{name}={json.dumps(value)}")]
    model = tmp_path / "model"
    fitted = run("detect", "fit", method, parts / "plate", "--out", model, "--device", "cpu", *settings)
    assert fitted.code == 0, fitted.err
    assert not (model / "checkpoint.safetensors").exists()
    scored = run("detect", "score", model, parts / "plate" / "test", "--device", "cpu")
    scores = {row["path"]: float(row["score"]) for row in csv.DictReader(StringIO(scored.out))}
    assert len(scores) == 8
    one = ("evaluate", method, parts, "--seeds", 1, "--device", "cpu", *settings)
    evaluated = run(*one, "--out", tmp_path / "report")
    assert evaluated.code == 0, evaluated.err
    of_method = Report.model_validate_json((tmp_path / "report" / "report.json").read_bytes())
    run("evaluate", model, parts, "--device", "cpu", "--out", tmp_path / "of-model")
    of_model = Report.model_validate_json((tmp_path / "of-model" / "report.json").read_bytes())
    ours, theirs = of_method.categories[0].runs[0], of_model.categories[0].runs[0]
    assert (ours.image, ours.pixel, ours.companions) == (theirs.image, theirs.pixel, theirs.companions)
    good = [score for path, score in scores.items() if path.startswith("good")]
    bad = [score for path, score in scores.items() if path.startswith("disc")]
    right = np.mean([(b > g) + 0.5 * (b == g) for g in good for b in bad])
    assert ours.image is not None
    assert ours.image["auroc"].value == pytest.approx(right)
    for name in ours.companions:
        assert f"| – {name} " in evaluated.out


def test_the_recipe_is_told_and_reported(parts: Path, run: Run, tmp_path: Path) -> None:
    plate, report_at = parts / "plate", tmp_path / "b"
    few = ["--set", "image_size=64", "--set", "samples=4", "--set", "steps=2", "--device", "cpu"]
    default = run("detect", "fit", "segmenter", plate, "--out", tmp_path / "a", *few)
    assert "segmenter learns from samples of the recipe mixed, since none was named" in default.err
    named = run(
        "evaluate", "segmenter", parts, "--recipe", "nsa", "--seeds", 1, "--out", tmp_path / "b", *few
    )
    assert "since none was named" not in named.err
    report = Report.model_validate_json((report_at / "report.json").read_bytes())
    assert (report.recipe, report.backbone, report.weights) == ("nsa", "efficientnet_lite0", "imagenet")
    assert "anomalies of the recipe nsa" in (report_at / "report.md").read_text()


PADIM_TOLD = "padim learns from normal images alone with these settings; leave the recipe out"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            ["detect", "fit", "padim", "plate", "--recipe", "nsa", "--out", "x"],
            "padim learns from normal images alone",
        ),
        (["evaluate", "padim", ".", "--recipe", "nsa"], "padim learns from normal images alone"),
        (
            [
                "detect",
                "fit",
                "segmenter",
                "plate",
                "--set",
                "anomalies=none",
                "--recipe",
                "nsa",
                "--out",
                "x",
            ],
            "segmenter learns from normal images alone with these settings; leave the recipe out",
        ),
        (
            ["detect", "fit", "segmenter", "plate", "--recipe", "nsaa", "--out", "x"],
            "nsaa: no such file, and no shipped recipe of that name",
        ),
        (["detect", "fit", "efficientad", "plate", "--out", "x"], "teacher"),
        (
            ["detect", "fit", "efficientad", "plate", "--teacher", "none: a file.pth", "--out", "x"],
            "none: a file.pth: there is no such file",
        ),
    ],
)
def test_what_a_method_cannot_learn_from(
    parts: Path, run: Run, command: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(parts)
    run(*command, "--device", "cpu").assert_refused(told)


def test_a_fit_that_is_killed_goes_on_to_the_same_files(parts: Path, tmp_path: Path) -> None:
    few = [
        *("--set", "image_size=64", "--set", "samples=4", "--set", "batch=2", "--set", "steps=60"),
        *("--device", "cpu", "--recipe", "nsa"),
    ]
    once_a_step = "import synthgen.detectors.common.training as t; t.SAVE_SECONDS = 0\n"
    dies = once_a_step + (
        "import os, synthgen.evaluation.fit_checkpoint as c\n"
        "keep = c.FitCheckpoint.save\n"
        "def save(self, state):\n"
        "    keep(self, state)\n"
        "    if int(state['step']) == 25: os._exit(9)\n"
        "c.FitCheckpoint.save = save\n"
    )
    fit = "from synthgen.cli.main import main; import sys; sys.exit(main(sys.argv[1:]))"

    def command(out: str, *more: str) -> list[str]:
        return ["detect", "fit", "segmenter", str(parts / "plate"), "--out", out, *few, *more]

    def run_python(code: str, *arguments: str) -> CompletedProcess[str]:
        return process(*arguments, cwd=tmp_path, command=[sys.executable, "-c", code])

    whole = run_python(fit, *command("whole"))
    killed = run_python(dies + fit, *command("killed"))
    assert (whole.returncode, killed.returncode) == (0, 9), whole.stderr + killed.stderr
    assert (tmp_path / "killed" / "checkpoint.safetensors").exists()
    other = run_python(fit, *command("killed", "--seed", "1"))
    assert other.returncode == 2
    assert "checkpoint.safetensors: is of a fit with other settings, images, seed or versions" in other.stderr
    assert run_python(fit, *command("killed")).returncode == 0
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "killed" / path.name).read_bytes()
    assert not (tmp_path / "killed" / "checkpoint.safetensors").exists()
