"""Wrong recipes: each is the small recipe with a part of it replaced."""

from pathlib import Path

import pytest

from tests.cli.helpers import RECIPE, Run

RECIPES = {
    "broken YAML": ("size: [64, 64]", "size: [64, 64", r"x\.yaml:\d+:\d+: broken YAML"),
    "a tab": ("seed: 1", "\tseed: 1", r"x\.yaml:2:1: a tab, which YAML does not take"),
    "a wrong type": ("count: 6", "count: six", r"x\.yaml:3: count: expected a whole number, found six"),
    "a fraction": ("count: 6", "count: 6.5", "count: expected a whole number, found 6.5"),
    "a text for a number": ("count: 6", 'count: "6"', 'count: expected a whole number, found "6"'),
    "an unknown field": ("seed: 1", "sed: 1", r"x\.yaml:2: sed: unknown field .*did you mean seed\?"),
    "a field twice": ("seed: 1", "seed: 1\nseed: 2", "seed: given twice"),
    "a missing field": ("count: 6\n", "", "count: missing; expected a whole number"),
    "an unknown method": ("cutpaste", "cutpast", r"x\.yaml:8: .*found cutpast; did you mean cutpaste\?"),
    "an unknown source": ("folder", "foldr", r"found foldr; did you mean folder\?"),
    "a negative range": ("cutpaste", "cutpaste, area: [-0.1, 0.2]", "expected more than 0, found -0.1"),
    "a reversed range": ("cutpaste", "cutpaste, area: [0.3, 0.1]", "a range is .* 0.3 is above 0.1"),
    "an area above 1": ("cutpaste", "cutpaste, area: [0.5, 1.5]", "at most 1, found 1.5"),
    "delta 0": ("cutpaste", "cutpaste, delta: [0, 1]", "delta.* expected more than 0, found 0"),
    "delta above 1": ("cutpaste", "cutpaste, delta: [0.5, 1.1]", "delta.* at most 1, found 1.1"),
    "no number": ("cutpaste", "cutpaste, rotation: [.nan, 1]", "expected a finite number, found .nan"),
    "weights that sum to 0": ("cutpaste", "cutpaste, weight: 0", "the weights sum to 0; give at least one"),
    "no synthesizer": ("\n  - {method: cutpaste}", " []", "synthesizers: expected 1 or more entries"),
    "a small size": ("[64, 64]", "[15, 64]", r"size\[0\]: expected 16 or more, found 15"),
    "a path with a NUL": ("path: good", 'path: "a\\0b"', "text without control characters"),
    "an empty path": ("path: good", 'path: ""', r'source\.path: expected 1 or more characters, found ""'),
    "a pattern without images": ("path: good", 'path: good, pattern: "*.jpg"', "no image that matches"),
    "a missing folder": ("path: good", "path: none", "none does not exist; give the path or URL of your"),
    "nothing held out": ("seed: 1", "seed: 1\nsplit: held-out", "has 3 images and none of them is held-out"),
    "missing masks": ("foreground: all", "foreground: {masks: none}", "foreground: none does not exist"),
    "no mask for an image": ("foreground: all", "foreground: {masks: other}", "no mask for the image 00.png"),
    "unpublished rules": ("foreground: all", "foreground: {published: mvtc}", "no rules were published for"),
    "missing textures": ("cutpaste", "perlin-texture, textures: none", "textures: none does not exist"),
    "no textures": ("cutpaste", "perlin-texture, textures: other", "textures: other has no image"),
}  # fmt: skip


@pytest.mark.parametrize("case", RECIPES)
def test_a_wrong_recipe_is_one_line(case: str, here: Path, run: Run) -> None:
    old, new, pattern = RECIPES[case]
    assert old in RECIPE
    (here / "other").mkdir()
    (here / "x.yaml").write_text(RECIPE.replace(old, new))
    run("generate", "x.yaml", "--out", "out").assert_refused_at_once(pattern)
    assert not (here / "out").exists()


def test_every_mistake_of_a_recipe_is_a_line(here: Path, run: Run) -> None:
    (here / "x.yaml").write_text(RECIPE.replace("seed: 1", "sed: 1").replace("count: 6", "count: six"))
    result = run("check", "x.yaml")
    result.assert_refused(r"x\.yaml:2: sed: unknown field")
    assert result.err.splitlines()[1:] == ["x.yaml:3: count: expected a whole number, found six"]
