"""``~`` is the home folder for every option, setting, field and argument that is a path."""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image
from pydantic import BaseModel

import synthgen
from server.settings import Settings
from synthgen.cli.arguments import path as path_type
from synthgen.cli.main import parser
from synthgen.errors import SynthgenError
from synthgen.sources.registry import SOURCES
from synthgen.storage.place import local_path
from synthgen.synthesizers.registry import SYNTHESIZERS
from tests.cli.helpers import RECIPE, Result, Run, process, write_pictures

pytestmark = pytest.mark.timeout(300)

SMALL = ["--weights", "random", "--set", "image_size=32", "--set", "channels=20"]
LEARNS = ["--weights", "random", "--set", "image_size=32", "--set", "samples=2", "--set", "steps=1"]
GENERATE = ["generate", "~/r.yaml", "--workers", "1"]
PRETRAINED = ("--batch", "4", "--out", "new.safetensors")
ATTENTION = ("r.yaml", "--size", "64", "--pairs", "1")
TUNE = ("tune", "--detectability", "0.8")
OPTIONS: dict[tuple[str, str], list[str]] = {
    ("init", "folder"): ["init", "~/good", "--out", "new.yaml"],
    ("init", "--out"): ["init", "good", "--out", "~/new.yaml"],
    ("check", "recipe"): ["check", "~/r.yaml"],
    ("check", "--source"): ["check", "r.yaml", "--source", "~/good"],
    ("plan", "recipe"): ["plan", "~/r.yaml"],
    ("plan", "--source"): ["plan", "r.yaml", "--source", "~/good"],
    ("plan", "--out"): ["plan", "r.yaml", "--out", "~/new.json"],
    ("preview", "recipe"): ["preview", "~/r.yaml", "-n", "1"],
    ("preview", "--source"): ["preview", "r.yaml", "-n", "1", "--source", "~/good"],
    ("preview", "--out"): ["preview", "r.yaml", "-n", "1", "--out", "~/new.png"],
    ("generate", "recipe"): [*GENERATE, "--out", "new"],
    ("generate", "--source"): ["generate", "r.yaml", "--source", "~/good", "--workers", "1", "--out", "new"],
    ("generate", "--out"): [*GENERATE, "--out", "~/new"],
    ("finish", "directory"): ["finish", "~/shards"],
    ("verify", "directory"): ["verify", "~/shards"],
    ("verify", "--source"): ["verify", "shards", "--source", "~/good"],
    ("inspect", "directory"): ["inspect", "~/shards"],
    ("inspect", "--out"): ["inspect", "shards", "--out", "~/new.png"],
    ("readers", "directory"): ["readers", "~/shards"],
    ("replay", "shard"): ["replay", "~/shards/000000.tar", "000000000", "--source", "good", "--out", "new"],
    ("replay", "--source"): [
        "replay",
        "shards/000000.tar",
        "000000000",
        "--source",
        "~/good",
        "--out",
        "new",
    ],
    ("replay", "--out"): ["replay", "shards/000000.tar", "000000000", "--source", "good", "--out", "~/new"],
    ("sdas train", "source"): ["sdas", "train", "~/few", "--out", "new"],
    ("sdas train", "--out"): ["sdas", "train", "good", "--out", "~/r.yaml"],
    ("sdas train", "--init-from"): ["sdas", "train", "good", "--out", "new", "--init-from", "~/few"],
    ("pretrain", "source"): ["pretrain", "~/few", *PRETRAINED],
    ("pretrain", "--out"): ["pretrain", "good", "--out", "~/r.yaml/new.safetensors"],
    ("pretrain", "--recipe"): ["pretrain", "few", "--recipe", "~/r.yaml", *PRETRAINED],
    ("pretrain", "--init"): ["pretrain", "good", "--init", "~/r.yaml", *PRETRAINED],
    ("attention", "weights"): ["attention", "~/r.yaml", *ATTENTION, "--out", "new"],
    ("attention", "pairs_from"): ["attention", "random", "~/r.yaml", *ATTENTION[1:], "--out", "new"],
    ("attention", "--source"): ["attention", "random", *ATTENTION, "--source", "~/good", "--out", "new"],
    ("attention", "--out"): ["attention", "random", *ATTENTION, "--out", "~/new"],
    ("detect fit", "source"): ["detect", "fit", "padim", "~/good", "--out", "new", *SMALL],
    ("detect fit", "--out"): ["detect", "fit", "padim", "good", "--out", "~/new", *SMALL],
    ("detect fit", "--source"): [
        "detect",
        "fit",
        "padim",
        "shards",
        "--source",
        "~/good",
        "--out",
        "new",
        *SMALL,
    ],
    ("evaluate", "--source"): ["evaluate", "padim", "shards", "--source", "~/good", *SMALL],
    ("detect fit", "--weights"): ["detect", "fit", "padim", "good", "--out", "new", "--weights", "~/r.yaml"],
    ("detect fit", "--recipe"): [
        *("detect", "fit", "segmenter", "good", "--out", "new", "--recipe", "~/r.yaml"),
        *LEARNS,
    ],
    ("detect fit", "--teacher"): [
        *("detect", "fit", "efficientad", "good", "--out", "new", "--teacher", "~/r.yaml")
    ],
    ("detect score", "directory"): ["detect", "score", "~/detector", "good"],
    ("detect score", "images"): ["detect", "score", "detector", "~/good"],
    ("detect score", "--out"): ["detect", "score", "detector", "good", "--out", "~/new.csv"],
    ("detect score", "--maps"): ["detect", "score", "detector", "good", "--maps", "~/new"],
    ("evaluate", "detector"): ["evaluate", "~/detector", "parts"],
    ("evaluate", "dataset"): ["evaluate", "detector", "~/parts"],
    ("evaluate", "--root"): ["evaluate", "detector", "mvtec", "--root", "~/parts"],
    ("evaluate", "--out"): ["evaluate", "detector", "parts", "--out", "~/new"],
    ("evaluate", "--recipe"): [
        *("evaluate", "segmenter", "parts", "--seeds", "1", "--recipe", "~/r.yaml"),
        *LEARNS,
    ],
    ("evaluate", "--teacher"): ["evaluate", "efficientad", "parts", "--teacher", "~/r.yaml"],
    ("evaluate", "--weights"): ["evaluate", "padim", "parts", "--weights", "~/r.yaml"],
    ("detect calibrate", "directory"): ["detect", "calibrate", "~/detector", "--normal", "good"],
    ("detect calibrate", "--normal"): ["detect", "calibrate", "detector", "--normal", "~/good"],
    ("detect calibrate", "--anomalies"): [
        *("detect", "calibrate", "detector", "--normal", "good", "--anomalies", "~/r.yaml"),
    ],
    ("tune", "recipe"): [*TUNE, "~/r.yaml", "--source", "few", "--out", "new.yaml"],
    ("tune", "--source"): [*TUNE, "r.yaml", "--source", "~/few", "--out", "new.yaml"],
    ("tune", "--out"): [*TUNE, "r.yaml", "--source", "few", "--out", "~/good"],
    ("validate", "recipes"): ["validate", "~/r.yaml", "~/r.yaml", "--source", "good", "--out", "new"],
    ("validate", "--source"): ["validate", "nsa", "--source", "~/few", "--out", "new"],
    ("validate", "--real"): ["validate", "nsa", "--source", "good", "--real", "~/parts", "--out", "new"],
    ("validate", "--weights"): [
        *("validate", "nsa", "--source", "good", "--out", "new", "--weights", "~/r.yaml"),
    ],
    ("validate", "--out"): ["validate", "nsa", "--source", "good", "--out", "~/r.yaml"],
    ("validate", "--compare"): ["validate", "--compare", "~/good", "~/good"],
    ("serve", "--reports"): ["serve", "--reports", "~/r.yaml"],
    ("serve", "--recipes"): ["serve", "--recipes", "~/few"],
    ("serve", "--model"): ["serve", "--model", "~/few"],
    ("serve", "--api-key-file"): ["serve", "--api-key-file", "~/few"],
}
"""A command line for each option that is a path; where the whole would take long, one that is refused."""
REFUSED = {
    ("pretrain", "source"): "the source has 1 images",
    ("pretrain", "--recipe"): "the source has 1 images",
    ("pretrain", "--out"): r"/r\.yaml: is a file",
    ("pretrain", "--init"): r"/r\.yaml: the name ends in",
    ("attention", "weights"): r"/r\.yaml: the name ends in",
    ("detect calibrate", "directory"): "all 10 normal images were fitted on",
    ("detect calibrate", "--normal"): "all 10 normal images were fitted on",
    ("detect calibrate", "--anomalies"): "all 10 normal images were fitted on",
    ("sdas train", "source"): "the source has 1 images to train on",
    ("sdas train", "--out"): "r.yaml: is a file",
    ("sdas train", "--init-from"): "has no unet/config.json",
    ("detect fit", "--weights"): "the name ends in '.yaml'",
    ("detect fit", "--teacher"): "the name ends in '.yaml'",
    ("evaluate", "--teacher"): "the name ends in '.yaml'",
    ("evaluate", "--weights"): "the name ends in '.yaml'",
    ("tune", "recipe"): "has 1 different normal images",
    ("tune", "--source"): "has 1 different normal images",
    ("tune", "--out"): "its file's name ends with .yaml",
    ("validate", "recipes"): "two of the recipes are called small",
    ("validate", "--source"): "has 1 normal images of 1 parts",
    ("validate", "--real"): "good test images that are not among the normal images; at least 5 are expected",
    ("validate", "--weights"): "the name ends in '.yaml'",
    ("validate", "--out"): "r.yaml: is a file",
    ("validate", "--compare"): "good/report.json: cannot be read",
    ("serve", "--reports"): "r.yaml: is not a folder",
    ("serve", "--recipes"): "holds no recipe",
    ("serve", "--model"): "has no synthgen.json",
    ("serve", "--api-key-file"): "directory",
}


def options() -> Iterator[tuple[str, str]]:
    """Every option and argument of every command that is a path."""
    yield from _options(parser(), "")


def _options(of: argparse.ArgumentParser, command: str) -> Iterator[tuple[str, str]]:
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from _options(below, f"{command} {name}".strip())
        elif action.type is path_type:
            yield command, action.option_strings[0] if action.option_strings else action.dest


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with one of everything."""
    folder = tmp_path_factory.mktemp("home")
    write_pictures(folder / "good", 10)
    write_pictures(folder / "few", 1)
    for name in ("train/good", "test/good", "test/cut"):
        write_pictures(folder / "parts/nut" / name, 2)
    (folder / "parts/nut/ground_truth/cut").mkdir(parents=True)
    mask = np.zeros((64, 64), np.uint8)
    mask[:32] = 255
    for number in range(2):
        Image.fromarray(mask).save(folder / f"parts/nut/ground_truth/cut/{number:02d}_mask.png")
    (folder / "masks").mkdir()
    for file in (folder / "good").iterdir():
        Image.fromarray(mask).save(folder / "masks" / file.name)
    (folder / "r.yaml").write_text(RECIPE.replace("path: good", f"path: {folder}/good"))
    synthgen.generate(synthgen.load_recipe(folder / "r.yaml", ["split=all"]), folder / "shards", workers=1)
    choice = synthgen.DetectorChoice.of("padim", SMALL[3::2], weights="random")
    synthgen.fit_detector(choice, folder / "good", folder / "detector")
    return folder


@pytest.fixture
def away(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with links to the same things, whose home folder is ``home``."""
    for path in home.iterdir():
        if not path.name.startswith("new"):
            (tmp_path / path.name).symlink_to(path)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_option_that_is_a_path_has_its_row() -> None:
    assert set(OPTIONS) == set(options())


@pytest.mark.parametrize("option", OPTIONS, ids=" ".join)
def test_an_option(option: tuple[str, str], home: Path, away: Path, run: Run) -> None:
    if OPTIONS[option][0] == "generate":  # a process, because workers have the home folder of the first run
        made = process(*OPTIONS[option], cwd=away, HOME=str(home))
        result = Result(made.returncode, made.stdout, made.stderr)
    else:
        result = run(*OPTIONS[option])
    if option in REFUSED:
        result.assert_refused(REFUSED[option])
    else:
        assert result.code == 0, result
    assert not (away / "~").exists()
    if OPTIONS[option][-1].startswith("~/new"):
        new = home / OPTIONS[option][-1].removeprefix("~/")
        assert new.exists()
        new.rename(away / "moved")


PATH_FIELDS = {"path", "masks", "textures", "model", "bank"}


def texts(model: type[BaseModel]) -> set[str]:
    """The fields of a model that are free text."""
    return {
        name
        for name, field in model.model_fields.items()
        if str in (field.annotation, *get_args(field.annotation)) and name not in ("kind", "method")
    }


def test_every_field_of_a_recipe_that_is_a_path_is_tested() -> None:
    assert set().union(
        *(texts(each) for each in (*SOURCES.values(), *SYNTHESIZERS.values()))
    ) <= PATH_FIELDS | {"pattern"}


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("source.path=~/good", ""),
        ("foreground={masks: ~/masks}", ""),
        ("synthesizers=[{method: perlin-texture, textures: ~/good}]", ""),
        ("synthesizers=[{method: sdas-image, model: ~/few}]", "has no synthgen.json"),
        ("synthesizers=[{method: sdas, bank: ~/few}]", "has no plan.json"),
    ],
)
def test_a_field_of_a_recipe(override: str, told: str, away: Path, run: Run) -> None:
    result = run("check", "r.yaml", "--set", override)
    if told:
        result.assert_refused(told)
    else:
        assert result.code == 0, result


def test_a_plan_keeps_what_was_written(away: Path, run: Run) -> None:
    asked = json.loads(run("plan", "r.yaml", "--source", "~/good").out)
    assert asked["recipe"]["source"]["path"] == "~/good"


CALLS: dict[str, Callable[[], Any]] = {
    "load_recipe": lambda: synthgen.load_recipe("~/r.yaml"),
    "preview": lambda: synthgen.preview(synthgen.load_recipe("r.yaml"), 1, "~/new.png"),
    "verify": lambda: synthgen.verify("~/shards", "~/good"),
    "replay": lambda: synthgen.replay("~/shards/000000.tar", "000000000", ["~/good"]),
    "train_diffusion": lambda: synthgen.train_diffusion("~/few", "~/new"),
    "load_model": lambda: synthgen.load_model("~/few"),
    "fit_detector": lambda: synthgen.fit_detector("padim", "~/good", "~/detector"),
    "load_detector": lambda: synthgen.load_detector("~/detector"),
    "score": lambda: synthgen.score("~/detector", "~/good", "~/new"),
    "evaluate": lambda: synthgen.evaluate("~/detector", "~/parts", "~/new"),
}
TOLD = {
    "train_diffusion": "the source has 1 images to train on",
    "load_model": "has no synthgen",
    "fit_detector": "holds a fitted detector already",
}


@pytest.mark.parametrize("name", CALLS)
def test_a_public_function(name: str, home: Path, away: Path) -> None:
    if name in TOLD:
        with pytest.raises(SynthgenError, match=TOLD[name]):
            CALLS[name]()
    else:
        CALLS[name]()
    assert not (away / "~").exists()
    for new in home.glob("new*"):
        new.rename(away / f"moved-{new.name}")


def test_the_settings_of_the_service(away: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RECIPES", "API_KEY_FILE", "CACHE_DIR"):
        monkeypatch.setenv(f"SYNTHGEN_{name}", "~/x")
    monkeypatch.setenv("SYNTHGEN_MODELS", '["~/x"]')
    settings = Settings()
    found = {settings.recipes, settings.api_key_file, settings.cache_dir, *settings.models}
    assert found == {home / "x"}


def test_whose_home_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert local_path("~") == Path("/somewhere")
    assert local_path("~/a/~") == Path("/somewhere/a/~")
    assert local_path("~root/a") == Path("~root/a").expanduser()
    for name in ("~nobody-here/a", "a/~", "./~", "a~"):
        assert local_path(name) == Path(name)
