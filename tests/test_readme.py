"""The README's commands and code run as they stand."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import indent

import cv2
import numpy as np
import pytest

from synthgen.cli.main import main
from synthgen.config.reader import parse_model
from synthgen.recipe.files import load_recipe, shipped_names
from synthgen.recipe.recipe import Recipe
from synthgen.validation import protocol
from tests.diffusion.training.trainings import forget_accelerator

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder with `good/`: a bright disc of slightly different texture in each image."""
    (tmp_path / "good").mkdir()
    for number in range(12):
        noise = np.random.default_rng(number).integers(-20, 20, (64, 64))
        image = np.full((64, 64), 30, np.int64)
        image[np.hypot(*np.mgrid[-32:32, -32:32]) < 24] = 150
        cv2.imwrite(str(tmp_path / f"good/{number}.png"), np.clip(image + noise, 0, 255).astype(np.uint8))
    return tmp_path


def run_commands(commands: str, workplace: Path) -> str:
    """The standard output of a block of commands, all of which must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=workplace,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def run_here(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str], str]]:
    """As `run_commands`, for `synthgen` alone and in this process, which has its imports behind it."""
    monkeypatch.chdir(workplace)

    def run_here(commands: str) -> str:
        capsys.readouterr()
        for line in commands.replace("\\\n", " ").splitlines():
            program, *arguments = shlex.split(line, comments=True)
            assert program == "synthgen"
            with pytest.raises(SystemExit) as ended:
                main(arguments)
            assert ended.value.code == 0, (line, capsys.readouterr().err)
        return capsys.readouterr().out

    yield run_here
    forget_accelerator()


@pytest.mark.timeout(300)
def test_the_diffusion_commands_run(workplace: Path, run_here: Callable[[str], str]) -> None:
    """As they stand, but with fewer updates and samples."""
    _, commands, _, _ = blocks("sh")
    quick = re.sub(r"--count \d+", "--count 6", re.sub(r"--steps \d+", "--steps 2", commands))
    assert quick.count("--steps 2 ") == 1
    told = run_here(quick)
    assert "model: trained for 2 updates on 10 images" in told
    assert {"model", "local.png", "sia-shards", "training-set"} <= {file.name for file in workplace.iterdir()}


def test_the_detectors_commands_run(workplace: Path, run_here: Callable[[str], str]) -> None:
    """As they stand, but for small images and short training."""
    _, _, commands, _ = blocks("sh")
    quick = re.sub(r"synthgen (evaluate \S+ \S+|detect fit \S+ \S+)", r"\g<0> --set image_size=64", commands)
    quick = re.sub(r"fit segmenter \S+", r"\g<0> --set samples=8 --set steps=5", quick)
    assert (quick.count("image_size=64"), quick.count("steps=5")) == (3, 1)
    told = run_here(re.sub(r"--count \d+", "--count 8", quick))
    assert "| image AUROC " in told
    assert len((workplace / "scores.csv").read_text().splitlines()) == 13
    assert {"report", "detector", "segmenter", "maps"} <= {file.name for file in workplace.iterdir()}


@pytest.mark.timeout(300)
def test_the_validation_runs(
    workplace: Path, run_here: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands, but with fewer samples and updates."""
    monkeypatch.setitem(protocol.BUDGETS, "quick", protocol.Budget(samples=8, steps=2, judged=6, seeds=1))
    _, _, _, commands = blocks("sh")
    told = run_here(commands)
    assert "cutpaste" in told and "nothing pasted (control)" in told
    assert "<!doctype html>" in (workplace / "report" / "report.html").read_text()[:40]


@pytest.mark.timeout(300)
def test_the_commands_and_then_the_code_run(workplace: Path) -> None:
    commands, _, _, _ = blocks("sh")
    told = run_commands(commands, workplace)
    assert "000000003" in told
    assert ": identical" in told
    made = {"product.yaml", "sheet.png", "shards", "histograms.png", "again"}
    assert made <= {file.name for file in workplace.iterdir()}

    code, *_ = blocks("python")
    spawned = "import multiprocessing\nmultiprocessing.set_start_method('spawn', force=True)\n"
    check = (
        "assert sample.image.shape[:2] == sample.mask.shape\nassert len(next(iter(loader))['key']) == 32\n"
    )
    (workplace / "script.py").write_text(spawned + code + indent(check, "    "))
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=workplace, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_recipe_is_one() -> None:
    [text] = blocks("yaml")
    assert parse_model(text, "README.md", Recipe).name == "bottle-mixed"


def test_every_shipped_recipe_is_named_and_valid() -> None:
    for name in shipped_names():
        assert f"`{name}`" in README
        assert load_recipe(name).name == name.replace("/", "-")


def test_every_picture_and_linked_file_is_there() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert targets
    assert all((REPOSITORY / target).is_file() for target in targets)
