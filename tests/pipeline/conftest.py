"""A small plan of every method, and its samples, made once for all tests that compare with them."""

import pytest

import synthgen
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.sample import Sample
from tests.recipes import small_recipe


@pytest.fixture(scope="package")
def plan() -> Plan:
    return synthgen.freeze(small_recipe())


@pytest.fixture(scope="package")
def samples(plan: Plan) -> list[Sample]:
    return list(Pipeline(plan).samples(range(24)))
