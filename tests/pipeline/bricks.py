"""Recipes whose defects must be abnormal, on tiles of a built-in brick wall, and their samples."""

from functools import cache
from typing import Any

import synthgen
from synthgen.pipeline.pipeline import Pipeline
from synthgen.sample import Sample
from tests.recipes import small_recipe

COUNT = 40
SIDE = 64


def recipe_of(otherwise: str, **fields: Any) -> synthgen.Recipe:
    usual = {
        "source": {"kind": "builtin", "categories": ["brick"]},
        "resize": "tile",
        "size": [SIDE, SIDE],
        "count": COUNT,
        "normal_share": 0.1,
        "judge": {"abnormal": {"quantile": 0.9, "min_share": 0.5, "otherwise": otherwise}},
    }
    return small_recipe(**(usual | fields))


@cache
def plan_of(otherwise: str) -> synthgen.Plan:
    return synthgen.freeze(recipe_of(otherwise))


@cache
def samples_of(otherwise: str) -> list[Sample]:
    return list(Pipeline(plan_of(otherwise)).samples(range(COUNT)))
