"""What a person takes along from the page: files, a recipe, a command."""

import io
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthgen import load_recipe
from tests.server.page.browsing import Shown
from tests.server.requests import picture
from tests.server.running import Running


def test_download_and_copied_command_give_the_sample_that_is_shown(shown: Shown, tmp_path: Path) -> None:
    with shown.page.expect_download() as tar:
        shown.page.get_by_role("button", name="Download sample").click()
    with shown.page.expect_download() as facts:
        shown.page.get_by_role("link", name="facts").click()
    assert json.loads(Path(facts.value.path()).read_text())["method"] == "cutpaste"
    archives = [Path(tar.value.path())]
    assert re.fullmatch(r"brick-cutpaste-\d+\.tar", tar.value.suggested_filename)

    command = shown.copied("Copy request as curl")
    if shutil.which("curl"):
        subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True)
        archives.append(tmp_path / "sample.tar")
    for archive in archives:
        members = _members(archive)
        assert set(members) == {"png", "mask.png", "normal.png", "cls", "json"}
        for member, name in (("png", "image"), ("mask.png", "mask"), ("normal.png", "normal")):
            opened = Image.open(io.BytesIO(members[member])).convert("RGB")
            assert np.array_equal(np.asarray(opened), shown.pixels(name))
        assert json.loads(members["json"])["seed"] == int(shown.fact("seed").inner_text())


def _members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {
            member.name.partition(".")[2]: file.read()
            for member in tar.getmembers()
            if (file := tar.extractfile(member))
        }


def test_a_copied_command_survives_any_file_name(shown: Shown, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    name = """it's "a"; name, really=.png"""
    shown.drop((name, picture(3)))
    shown.settled(size="64 × 64")
    (tmp_path / name).write_bytes(picture(3))
    command = shown.copied("Copy request as curl")
    subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True)
    image = Image.open(io.BytesIO(_members(tmp_path / "sample.tar")["png"]))
    assert np.array_equal(np.asarray(image), shown.pixels("image"))


def test_the_copied_recipe_is_one(shown: Shown, tmp_path: Path) -> None:
    path = tmp_path / "copied.yaml"
    path.write_text(shown.copied("Copy recipe as YAML"))
    recipe = load_recipe(path)
    assert recipe.seed == int(shown.fact("seed").inner_text())
    assert [(each.method, each.delta) for each in recipe.synthesizers] == [("cutpaste", (1.0, 1.0))]
    assert recipe.size == (256, 256)
    assert recipe.output.keep_normal


def test_the_recipe_of_every_method_is_one(shown: Shown, server: Running, tmp_path: Path) -> None:
    methods = json.loads(server.get("/v1/methods")[2])["methods"]
    texts = shown.page.evaluate(ALL_RECIPES, [methods, json.loads(server.get("/v1/models")[2])["models"]])
    assert len(texts) == len(methods)
    for method, text in zip(methods, texts, strict=True):
        path = tmp_path / f"{method['method']}.yaml"
        path.write_text(text)
        recipe = load_recipe(path)
        [synthesizer] = recipe.synthesizers
        assert synthesizer.method == method["method"]
        assert getattr(synthesizer, method["strength_name"]) == (0.37, 0.37)
        assert recipe.seed == 9007199254740993


ALL_RECIPES = """async ([methods, models]) => {
  const { recipeYaml, requestRecipe } = await import("/page/recipe.js");
  return methods.map((method) => {
    const picture = { width: 300, height: 200 };
    const recipe = requestRecipe({ method, model: models[0], picture, side: "256" });
    const request = { recipe, strength: 0.37, seed: "9007199254740993", category: "" };
    return recipeYaml({ ...request, kind: method.strength_name });
  });
}"""
