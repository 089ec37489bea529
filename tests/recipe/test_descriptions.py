"""Every field that a person can write has a description, in the JSON schema as well."""

from typing import Any

import pytest
from pydantic import BaseModel

from server.settings import Settings
from synthgen.detectors.registry import DETECTORS
from synthgen.diffusion.training.settings import TrainingSettings
from synthgen.recipe.recipe import Recipe
from synthgen.sample import Facts
from synthgen.sources.registry import SOURCES
from synthgen.synthesizers.registry import SYNTHESIZERS

WRITTEN: list[type[BaseModel]] = [
    Recipe,
    TrainingSettings,
    Facts,
    Settings,
    *(detector.settings_type for detector in DETECTORS.values()),
]


def undescribed(schema: dict[str, Any]) -> list[str]:
    """The fields without a description, of the schema's model and of all that it can hold.

    A tag, which only says which model it is, needs none: the model has one.
    """
    found = []
    for title, model in {schema["title"]: schema, **schema.get("$defs", {})}.items():
        if not model.get("description"):
            found.append(title)
        for name, field in model.get("properties", {}).items():
            if "const" not in field and not field.get("description"):
                found.append(f"{title}.{name}")
    return found


@pytest.mark.parametrize("model", WRITTEN)
def test_every_field_has_a_description(model: type[BaseModel]) -> None:
    assert undescribed(model.model_json_schema()) == []


def test_the_schema_of_a_recipe_reaches_every_source_and_method() -> None:
    held = Recipe.model_json_schema()["$defs"]
    assert {kind.__name__ for kind in (*SYNTHESIZERS.values(), *SOURCES.values())} <= held.keys()


def test_a_field_that_lacks_one_is_found() -> None:
    class Bare(Recipe):
        """A recipe."""

        bare: int
        tag: str = "x"
        """A tag."""

    assert undescribed(Bare.model_json_schema()) == ["Bare.bare"]
