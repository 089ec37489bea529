"""Unusual input that must work, from the folder to the replay."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.cli.helpers import AS_IT_SHOULD_BE, RECIPE, Run, assert_true, encoded, picture, write_pictures
from tests.recipes import ALL_METHODS

NAMES = ["ünï cödé 日本", "100% 25%20x", "a*b[1]?c#d", "co:lon quo'te\"s", "$HOME", "~t"]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_may_have_any_name(name: str, here: Path, run: Run) -> None:
    (here / "good").rename(here / name)
    Image.fromarray(picture(7)).save(here / name / f"{name}.png")
    (here / "r.yaml").write_text(
        RECIPE.replace("path: good", f"path: {json.dumps(name, ensure_ascii=False)}")
    )
    assert run("generate", "r.yaml", "--out", f"{name}/out").code == 0
    assert_true(run, f"{name}/out", name, 6, 3)
    assert run("init", name).code == 0
    assert "4 normal" in run("check", "recipe.yaml").out
    for command in ("inspect", "readers"):
        assert run(command, f"{name}/out").code == 0


def test_grey_colour_alpha_palette_and_16_bits_may_be_mixed(here: Path, run: Run) -> None:
    good = here / "good"
    grey = picture(11, channels=1)[..., 0]
    for name, pixels in {
        "grey.png": grey,
        "grey.jpg": grey,
        "alpha.png": picture(12, channels=4),
        "deep.png": grey.astype(np.uint16) * 200,
        "colour.webp": picture(13),
        "colour.bmp": picture(14),
        "COLOUR.TIF": picture(15),
    }.items():
        Image.fromarray(pixels).save(good / name)
    Image.fromarray(picture(16)).convert("P").save(good / "palette.png")
    cv2.imwrite(str(good / "deep-colour.png"), picture(17).astype(np.uint16) * 200)
    (good / "misnamed.jpg").write_bytes(encoded(picture(18)))
    held = ("--set", "source.held_out=0", "--count", "13")
    made = run("generate", "r.yaml", "--out", "out", *held)
    assert made.code == 0
    assert "skipped" not in made.err
    assert_true(run, "out", "good", 13, 3)


def test_one_much_larger_image_among_many_changes_nothing(here: Path, run: Run) -> None:
    write_pictures(here / "many", 300, height=20, width=20)
    Image.fromarray(picture(9, 1200, 1600)).save(here / "many/large.png")
    assert run("generate", "r.yaml", "--out", "out", "--source", "many", "--set", "size=[32, 32]").code == 0
    assert run("verify", "out", "--source", "many").out.endswith(f"{AS_IT_SHOULD_BE}\n")
    assert run("init", "many").code == 0
    assert "301 images (300 of them looked at), colour, " in (here / "recipe.yaml").read_text()


def methods_recipe(**fields: Any) -> str:
    recipe: dict[str, Any] = {
        "name": "methods",
        "seed": 2,
        "count": 14,
        "source": {"kind": "folder", "path": "good", "held_out": 0},
        "size": [64, 64],
        "synthesizers": ALL_METHODS,
        "output": {"shard_size": 14},
    }
    return json.dumps(recipe | fields)


def test_one_image_is_enough_for_every_method(here: Path, run: Run) -> None:
    for name in ("01.png", "02.png"):
        (here / "good" / name).unlink()
    (here / "r.yaml").write_text(methods_recipe())
    assert run("generate", "r.yaml", "--out", "out").code == 0
    assert_true(run, "out", "good", 14, 14)


WITHOUT_SCAR = [method for method in ALL_METHODS if method["method"] != "scar"]


@pytest.mark.parametrize("size", [[16, 16], [17, 31], [400, 16]])
def test_small_and_thin_samples_are_true(size: list[int], here: Path, run: Run) -> None:
    write_pictures(here / "thin", 2, height=size[0], width=size[1])
    (here / "r.yaml").write_text(methods_recipe(size="native", synthesizers=WITHOUT_SCAR))
    assert run("generate", "r.yaml", "--out", "out", "--source", "thin").code == 0
    assert_true(run, "out", "thin", 14, 14)


def test_a_method_that_never_succeeds_fails_the_run_with_advice(here: Path, run: Run) -> None:
    """A strip of 2 to 16 pixels at 256 x 256 is less than a pixel wide at 16 x 16."""
    (here / "r.yaml").write_text(methods_recipe(size=[16, 16], synthesizers=[{"method": "scar"}]))
    result = run("generate", "r.yaml", "--out", "out")
    result.assert_refused(r"14 of 14 anomalous samples .*rejected, most of them scar: empty mask", code=1)
    assert not (here / "out/manifest.json").exists()


@pytest.mark.parametrize(("value", "code"), [(255, 0), (0, 1)])
def test_a_foreground_of_everything_or_nothing(value: int, code: int, here: Path, run: Run) -> None:
    (here / "masks").mkdir()
    for number in range(3):
        Image.fromarray(np.full((64, 64), value, np.uint8)).save(here / f"masks/{number:02d}.png")
    result = run("generate", "r.yaml", "--out", "out", "--set", "foreground={masks: masks}")
    assert result.code == code
    if code:
        result.assert_refused(
            "6 of 6 anomalous samples .*empty mask.*or check the recipe's foreground", code=1
        )
        assert not (here / "out/manifest.json").exists()


def test_bad_textures_are_left_out_and_named(here: Path, run: Run) -> None:
    write_pictures(here / "textures", 2)
    (here / "textures/bad.png").write_text("")
    textures = ("--set", "synthesizers=[{method: perlin-texture, textures: textures}]")
    result = run("generate", "r.yaml", "--out", "out", *textures)
    assert result.code == 0
    assert "skipped textures/bad.png: the file is empty" in result.err
    refused = run("check", "r.yaml", *textures, "--set", "on_bad_image=fail")
    refused.assert_refused_at_once(r"textures: bad\.png: the file is empty")
