"""The order of the images: every one before any again; over all images alike, or over the categories."""

from collections import Counter
from random import Random

import numpy as np
import pytest

import synthgen
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.image_order import ImageOrder
from synthgen.recipe.recipe import Recipe
from synthgen.sources.records import NormalImage
from synthgen.streams import Stream
from tests.recipes import small_recipe

UNEVEN = {"cable": 2, "bottle": 7, "zipper": 1}


def images_of(counts: dict[str, int]) -> list[NormalImage]:
    return [
        NormalImage(path=f"{category}/{number}", sha256="", category=category, split="train")
        for category, count in counts.items()
        for number in range(count)
    ]


def recipe_for(spread: str, seed: int = 3) -> Recipe:
    return small_recipe(spread=spread, seed=seed)


def taken(recipe: Recipe, images: list[NormalImage], count: int) -> list[NormalImage]:
    order = ImageOrder(recipe, images)
    return [order.image(index) for index in range(count)]


@pytest.mark.parametrize("count", [1, 2, 10, 100, 101, 102, 999])
def test_every_category_gets_the_same_number_whatever_its_images(count: int) -> None:
    numbers = Counter(image.category for image in taken(recipe_for("categories"), images_of(UNEVEN), count))
    assert sum(numbers.values()) == count
    assert max(numbers.values()) - min(numbers[category] for category in UNEVEN) <= 1


def test_categories_take_turns_in_the_order_of_their_names() -> None:
    categories = [image.category for image in taken(recipe_for("categories"), images_of(UNEVEN), 30)]
    assert categories == ["bottle", "cable", "zipper"] * 10


@pytest.mark.parametrize("spread", ["images", "categories"])
def test_tiles_come_from_one_image_for_eight_in_a_row(spread: str) -> None:
    images = images_of(UNEVEN)
    rows = taken(recipe_for(spread), images, 40)
    tiles = taken(small_recipe(spread=spread, resize="tile"), images, 320)
    assert tiles == [image for image in rows for _ in range(8)]


@pytest.mark.parametrize("spread", ["images", "categories"])
def test_every_image_of_a_group_is_taken_once_before_any_is_taken_again(spread: str) -> None:
    chosen = taken(recipe_for(spread), images_of(UNEVEN), 420)
    groups = [chosen] if spread == "images" else [chosen[start::3] for start in range(3)]
    for group in groups:
        size = len({image.path for image in group})
        epochs = [[image.path for image in group[start : start + size]] for start in range(0, 140, size)]
        assert all(len(set(epoch)) == len(epoch) for epoch in epochs)
        assert size < 3 or len({tuple(epoch) for epoch in epochs}) > 5
    assert {image.path for image in chosen} == {image.path for image in images_of(UNEVEN)}


def test_every_place_of_a_categorys_order_is_as_likely_as_another() -> None:
    """The first image over 2,000 seeds: chi-square of at most 4 degrees of freedom, p = 1e-5."""
    images = images_of({"a": 3, "b": 5})
    for index, group in ((0, 3), (1, 5)):
        firsts = Counter(
            ImageOrder(recipe_for("categories", seed), images).image(index).path for seed in range(2000)
        )
        assert len(firsts) == group
        expected = 2000 / group
        assert sum((count - expected) ** 2 / expected for count in firsts.values()) < 28.5


def test_categories_are_shuffled_apart_from_each_other() -> None:
    chosen = taken(recipe_for("categories"), images_of({"a": 50, "b": 50}), 100)
    orders = [[image.path[2:] for image in chosen if image.category == each] for each in "ab"]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


@pytest.mark.parametrize("spread", ["images", "categories"])
def test_an_index_has_its_image_in_whatever_order_it_is_asked_for(spread: str) -> None:
    recipe, images = recipe_for(spread), images_of(UNEVEN)
    known = taken(recipe, images, 500)
    indices = Random(1).sample(range(500), 500)
    order = ImageOrder(recipe, images)
    assert [order.image(index) for index in indices] == [known[index] for index in indices]


def test_with_one_category_both_spreads_use_every_image_alike() -> None:
    images = images_of({"a": 9})
    for spread in ("images", "categories"):
        chosen = taken(recipe_for(spread), images, 9 * 20)
        assert set(Counter(image.path for image in chosen).values()) == {20}
        assert len({image.path for image in chosen[:9]}) == 9


def test_the_default_takes_the_images_by_one_permutation_an_epoch() -> None:
    images = images_of(UNEVEN)
    assert small_recipe().spread == "images"
    for index, image in enumerate(taken(small_recipe(), images, 35)):
        permutation = Stream(3, index // 10, "order").permutation(10)
        assert image == images[permutation[index % 10]]


def test_the_pipeline_follows_the_order_whatever_its_batches() -> None:
    fields = {"spread": "categories", "size": [32, 32], "synthesizers": [{"method": "cutout"}]}
    plan = synthgen.freeze(small_recipe(**fields))
    assert len(set(Counter(image.category for image in plan.images).values())) > 1
    order = ImageOrder(plan.recipe, [image for image in plan.images if image.split == "train"])
    known = [(order.image(index).category, order.image(index).path) for index in range(36)]
    for batch_size in (1, 5, 32):
        samples = Pipeline(plan, batch_size=batch_size).samples(range(36))
        assert [(sample.facts.category, sample.facts.source_path) for sample in samples] == known
    assert set(Counter(category for category, _ in known).values()) == {12}


def test_the_spread_changes_the_samples_and_so_the_fingerprint() -> None:
    plans = [synthgen.freeze(small_recipe(spread=spread)) for spread in ("images", "categories")]
    assert plans[0].fingerprint != plans[1].fingerprint
    chosen = [[sample.scene.image for sample in Pipeline(plan).samples(range(8))] for plan in plans]
    assert not all(np.array_equal(one, two) for one, two in zip(*chosen, strict=True))
