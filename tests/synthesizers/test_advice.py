"""Advice on rejected defects names no field that the method lacks, and one that helps where there is one."""

import re
from typing import Any

import numpy as np
import pytest

from synthgen.defect import LOOKS_NORMAL, Defect, composite, judge
from synthgen.recipe.recipe import Recipe
from synthgen.scene import Scene
from synthgen.synthesizers.advice import advice
from synthgen.synthesizers.base import Synthesizer
from synthgen.synthesizers.registry import SYNTHESIZERS

REASONS = ("empty mask", "no visible change", "too little on the foreground", LOOKS_NORMAL)
FIELDS = {name for each in SYNTHESIZERS.values() for name in each.model_fields} - {"method"}


def named(text: str) -> set[str]:
    """The fields of methods that a text names; what it says of the recipe is left out."""
    of_the_method = text.split(", or ", maxsplit=1)[0] if ", or " in text else ""
    return set(re.findall(r"\w+", of_the_method)) & FIELDS


def method(name: str, **fields: object) -> Synthesizer[Any]:
    return SYNTHESIZERS[name].model_validate({"method": name, **fields})


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("name", SYNTHESIZERS)
def test_only_fields_that_the_method_has(name: str, reason: str) -> None:
    text = advice(method(name, delta=(0.1, 0.4)), reason)
    assert named(text) <= set(SYNTHESIZERS[name].model_fields), text
    if reason != "empty mask":
        assert named(text), text  # each has a delta and a min_overlap
    of_the_recipe = set(re.findall(r"recipe's (\w+)", text)) | set(
        re.findall(r"recipe's foreground and (\w+)", text)
    )
    assert of_the_recipe and of_the_recipe <= Recipe.model_fields.keys(), text


@pytest.mark.parametrize(
    ("name", "reason", "fields"),
    [
        ("scar", "empty mask", {"width", "height"}),
        ("cutout", "empty mask", {"area"}),
        ("nsa", "empty mask", {"half_width"}),
        ("perlin-texture", "empty mask", {"mask"}),
        ("scar", "no visible change", {"jitter", "patch_from"}),
        ("cutout", "no visible change", {"fill"}),
        ("perlin-texture", "no visible change", {"delta"}),
        ("nsa", "no visible change", {"patch_from"}),
        ("sdas-local", "no visible change", {"s"}),
        ("cutpaste", "too little on the foreground", {"min_overlap"}),
        ("cutpaste", LOOKS_NORMAL, {"jitter", "patch_from"}),
        ("sdas-local", LOOKS_NORMAL, {"s"}),
    ],
)
def test_what_helps(name: str, reason: str, fields: set[str]) -> None:
    assert named(advice(method(name), reason)) == fields


def test_full_opacity_cannot_be_raised() -> None:
    assert "delta" not in advice(method("scar"), "no visible change")
    assert "more delta" in advice(method("scar", delta=(0.2, 1.0)), "no visible change")


def test_the_reasons_are_those_of_the_judge() -> None:
    image = np.full((20, 20, 1), 100, np.uint8)
    foreground = np.zeros((20, 20), np.uint8)
    foreground[:, :3] = 255

    def reason(level: int, foreground: np.ndarray, min_overlap: float = 0.0) -> str:
        scene = Scene("", "", "object", image, foreground, None)  # type: ignore[arg-type]
        defect = Defect(0, 0, np.full_like(image, level), np.full((20, 20), 255, np.uint8))
        return judge(composite(scene, defect), 4, min_overlap).reason

    assert reason(200, np.zeros_like(foreground)) == REASONS[0]
    assert reason(101, foreground) == REASONS[1]
    assert reason(200, foreground, 0.25) == REASONS[2]
