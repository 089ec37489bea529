"""The pipeline: same plan, same index, same sample, however it is asked for."""

from collections import Counter

import numpy as np
import pytest

import synthgen
from synthgen.pipeline.drafts import complete
from synthgen.pipeline.image_store import Shelf
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.sample import Sample
from tests.recipes import small_recipe


def assert_same(first: Sample, second: Sample) -> None:
    assert first.facts == second.facts
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.mask, second.mask)


@pytest.mark.parametrize("batch_size", [1, 7, 32])
def test_neither_batch_nor_order_changes_a_sample(plan: Plan, samples: list[Sample], batch_size: int) -> None:
    order = [*range(23, -1, -2), *range(0, 24, 2)]
    for index, sample in zip(order, Pipeline(plan, batch_size=batch_size).samples(order), strict=True):
        assert_same(sample, samples[index])


def test_drafts_of_several_plans_are_made_together_as_they_are_alone(
    plan: Plan, samples: list[Sample]
) -> None:
    """Plans of other seeds, sizes, channels and bounds of their own, in one batch."""
    others = [
        synthgen.freeze(small_recipe(seed=9, judge={"min_contrast": 20.0})),
        synthgen.freeze(small_recipe(size=[48, 80], attempts=2)),
        synthgen.freeze(small_recipe(source={"kind": "builtin", "categories": ["brick", "grass"]})),
    ]
    shelf = Shelf()
    pipelines = [Pipeline(each, shelf=shelf) for each in (plan, *others)]
    drafts = [pipeline.begin(index) for index in range(8) for pipeline in pipelines]
    complete(drafts, "cpu")
    made = [pipelines[number % 4].finish(draft) for number, draft in enumerate(drafts)]
    expected = [samples[:8], *(list(Pipeline(each).samples(range(8))) for each in others)]
    for number, sample in enumerate(made):
        assert_same(sample, expected[number % 4][number // 4])


def test_a_cache_too_small_for_one_image_changes_nothing(plan: Plan, samples: list[Sample]) -> None:
    for sample, known in zip(Pipeline(plan, cache_bytes=1).samples(range(12)), samples, strict=False):
        assert_same(sample, known)


def test_one_sample_by_its_plan(plan: Plan, samples: list[Sample]) -> None:
    assert_same(Pipeline(plan).sample(17), samples[17])


def test_another_seed_gives_other_samples(plan: Plan, samples: list[Sample]) -> None:
    other = Pipeline(synthgen.freeze(small_recipe(seed=4))).samples(range(24))
    assert sum(one.facts.params == two.facts.params for one, two in zip(other, samples, strict=True)) < 12


def test_the_label_tells_the_truth(samples: list[Sample]) -> None:
    assert {sample.facts.label for sample in samples} == {0, 1}
    for sample in samples:
        inside = sample.mask > 0
        assert inside.any() == bool(sample.facts.label)
        assert np.array_equal(sample.image[~inside], sample.normal[~inside])
        assert not (inside & (sample.scene.foreground == 0)).any()
        assert inside.sum() == sample.facts.area_pixels
        if sample.facts.label:
            change = np.abs(sample.image.astype(int) - sample.normal.astype(int)).max(axis=2)
            assert change[inside].mean() == pytest.approx(sample.facts.contrast, abs=1e-4)
            assert sample.facts.contrast >= 4


def test_every_image_is_used_once_before_any_is_used_again(plan: Plan) -> None:
    images = len(plan.images)
    facts = [sample.facts for sample in Pipeline(plan).samples(range(3 * images))]
    for epoch in range(3):
        assert len({fact.source_path for fact in facts[epoch * images : (epoch + 1) * images]}) == images
    first, second = ([fact.source_path for fact in facts[start:][:images]] for start in (0, images))
    assert first != second


def test_weights_and_normal_share_are_followed() -> None:
    recipe = small_recipe(
        size=[32, 32],
        normal_share=0.4,
        synthesizers=[{"method": "cutout", "weight": 3}, {"method": "scar"}, {"method": "nsa", "weight": 0}],
    )
    facts = [sample.facts for sample in Pipeline(synthgen.freeze(recipe)).samples(range(2000))]
    counts = Counter(fact.method for fact in facts)
    # Five standard deviations of a binomial draw.
    assert abs(counts["none"] - 800) < 5 * (2000 * 0.4 * 0.6) ** 0.5
    assert abs(counts["cutout"] - 900) < 5 * (2000 * 0.45 * 0.55) ** 0.5
    assert counts["nsa"] == 0


def test_what_no_attempt_can_make_visible_is_left_normal_and_says_so() -> None:
    recipe = small_recipe(
        judge={"min_contrast": 255}, attempts=3, normal_share=0, synthesizers=[{"method": "scar"}]
    )
    sample = Pipeline(synthgen.freeze(recipe)).sample(0)
    assert (sample.facts.outcome, sample.facts.label, sample.facts.attempts) == ("rejected", 0, 3)
    assert sample.facts.reason == "no visible change"
    assert not sample.mask.any()
    assert np.array_equal(sample.image, sample.normal)


def test_a_switched_off_visibility_check_lets_everything_pass() -> None:
    recipe = small_recipe(
        judge={"min_contrast": 0}, synthesizers=[{"method": "cutpaste", "delta": [0.001, 0.002]}]
    )
    facts = [sample.facts for sample in Pipeline(synthgen.freeze(recipe)).samples(range(24))]
    assert min(fact.contrast for fact in facts if fact.label) < 1


def test_a_held_out_image_never_becomes_a_sample_or_a_patch(plan: Plan) -> None:
    recipe = small_recipe(
        source={"kind": "builtin", "categories": ["gravel"], "held_out": 0.5},
        synthesizers=[{"method": "cutpaste", "patch_from": "other"}],
    )
    frozen = synthgen.freeze(recipe)
    held_out = {image.sha256 for image in frozen.images if image.split == "held-out"}
    assert len(held_out) == 2
    for sample in Pipeline(frozen).samples(range(24)):
        assert sample.facts.source_sha256 not in held_out
        assert not any(digest in sample.facts.params for digest in held_out)


@pytest.mark.parametrize("size", [(48, 96), (100, 33)])
def test_images_need_not_be_square(size: tuple[int, int]) -> None:
    for sample in Pipeline(synthgen.freeze(small_recipe(size=size))).samples(range(24)):
        assert sample.image.shape[:2] == sample.mask.shape == size
