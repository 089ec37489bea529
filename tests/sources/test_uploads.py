"""Uploaded images as a source: their order is their name, and neither is part of a recipe."""

import pytest
from pydantic import ValidationError

import synthgen
from synthgen.pipeline.freeze import Pins, find_ground, freeze, freeze_on
from synthgen.recipe.recipe import Recipe
from synthgen.sources.uploads import UploadSource
from tests.recipes import small_recipe
from tests.server.requests import picture


def test_the_images_are_listed_in_their_order_and_read_back() -> None:
    images = [picture(2), picture(1), picture(2)]
    source = UploadSource.of(images, "lids")
    assert [entry.path for entry in source.entries()] == ["images.0", "images.1", "images.2"]
    assert {entry.category for entry in source.entries()} == {"lids"}
    assert [source.read(entry.path) for entry in source.entries()] == images
    with pytest.raises(OSError, match=r"images\.3 is not among"):
        source.read("images.3")


def test_no_recipe_names_uploads() -> None:
    with pytest.raises(ValidationError, match="uploads"):
        small_recipe(source={"kind": "uploads"})


def test_a_plan_on_known_ground_is_the_frozen_one() -> None:
    """What is kept between requests changes nothing: another seed and method on the same images."""
    source = UploadSource.of([picture(1), picture(2)], "lids")
    first = small_recipe().model_copy(update={"source": source})
    second = small_recipe(seed=8, synthesizers=[{"method": "perlin-texture"}]).model_copy(
        update={"source": source}
    )
    ground, pins = find_ground(first), Pins()
    assert freeze_on(ground, first, pins) == freeze(first)
    assert freeze_on(ground, second, pins) == freeze(second)
    assert synthgen.freeze(second).fingerprint != synthgen.freeze(first).fingerprint


def test_a_recipe_with_uploads_can_be_written_down() -> None:
    recipe = small_recipe().model_copy(update={"source": UploadSource.of([picture(1)], "lids")})
    assert recipe.model_dump()["source"] == {
        "kind": "uploads",
        "category": "lids",
        "held_out": 0.0,
        "max_megapixels": 1000,
    }
    assert isinstance(recipe, Recipe)
