"""The README's commands and code run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from synthgen.config.reader import parse_model
from synthgen.recipe.files import load_recipe, shipped_names
from synthgen.recipe.recipe import Recipe

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


def test_the_diffusion_commands_run(workplace: Path) -> None:
    """As they stand, but with fewer updates and samples."""
    _, commands, _ = blocks("sh")
    quick = re.sub(r"--count \d+", "--count 6", re.sub(r"--steps \d+", "--steps 2", commands))
    assert quick.count("--steps 2 ") == 1
    told = run_commands(quick, workplace)
    assert "model: trained for 2 updates on 10 images" in told
    assert {"model", "local.png", "sia-shards", "training-set"} <= {file.name for file in workplace.iterdir()}


def test_the_detectors_commands_run(workplace: Path) -> None:
    """As they stand, but for small images and untrained weights, which need no download."""
    _, _, commands = blocks("sh")
    small = r"\g<0> --weights random --set image_size=64"
    quick = re.sub(r"synthgen (evaluate \S+ \S+|detect fit \S+ \S+)", small, commands)
    assert quick.count("--weights random") == 2
    told = run_commands(re.sub(r"--count \d+", "--count 8", quick), workplace)
    assert "| image AUROC " in told
    assert len((workplace / "scores.csv").read_text().splitlines()) == 13
    assert {"report", "detector", "maps"} <= {file.name for file in workplace.iterdir()}


def test_the_commands_and_then_the_code_run(workplace: Path) -> None:
    commands, _, _ = blocks("sh")
    told = run_commands(commands, workplace)
    assert "000000003" in told
    assert ": identical" in told
    made = {"product.yaml", "sheet.png", "shards", "histograms.png", "again"}
    assert made <= {file.name for file in workplace.iterdir()}

    code, *_ = blocks("python")
    check = (
        "assert sample.image.shape[:2] == sample.mask.shape\nassert len(next(iter(loader))['key']) == 32\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + check], cwd=workplace, capture_output=True, text=True, check=False
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
