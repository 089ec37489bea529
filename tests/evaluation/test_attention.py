"""Attention: shares by a slow count, Grad-CAM by its closed form, intervals by source, and a whole report."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Generator

import synthgen
from synthgen.detectors.common.backbones import load_backbone
from synthgen.errors import InputError
from synthgen.evaluation.attention import attention_of, cluster_weights, ratio
from synthgen.evaluation.attention_maps import attention, grad_cam, shares_inside
from synthgen.evaluation.metrics.clusters import RESAMPLES
from tests.cli.helpers import write_pictures
from tests.diffusion.training.trainings import forget_accelerator


def test_shares_count_what_lies_in_the_mask() -> None:
    maps = torch.rand(3, 4, 5, generator=Generator().manual_seed(0))
    maps[2] = 0
    masks = torch.zeros(3, 16, 20, dtype=torch.bool)
    masks[:, 3:9, 2:13] = True
    for scored, mask, found in zip(maps, masks, shares_inside(maps, masks), strict=True):
        total = inside = 0.0
        for row in range(4):
            for column in range(5):
                covered = mask[4 * row : 4 * row + 4, 4 * column : 4 * column + 4].double().mean()
                inside += float(scored[row, column] * covered)
                total += float(scored[row, column])
        assert float(found) == pytest.approx(inside / total if total else 66 / 320)


def test_grad_cam_is_the_cosines_derivative_times_the_features() -> None:
    """At the means d cos(a, b) / d b = a / (|a| |b|) - cos b / |b|², of which each place has its part."""
    good, found = torch.rand(2, 2, 6, 3, 4, generator=Generator().manual_seed(0)).double()
    slow = []
    for one, other in zip(good, found, strict=True):
        a, b = one.mean((1, 2)), other.mean((1, 2))
        cos = a @ b / (a.norm() * b.norm())
        weights = -(a / (a.norm() * b.norm()) - cos * b / b.norm() ** 2) / 12
        slow.append(torch.einsum("c,chw->hw", weights, other).clamp(min=0))
    assert torch.allclose(grad_cam(good, found), torch.stack(slow))
    assert torch.stack(slow).amax() > 0


def test_equal_pictures_have_no_difference_at_any_stage() -> None:
    backbone = load_backbone("efficientnet_lite0", "random", (1, 2))
    images = torch.rand(2, 3, 64, 64, generator=Generator().manual_seed(0))
    changed = images.clone()
    changed[:, :, 8:24, 8:24] = 0
    assert all(
        float(each.max()) == 0
        for name, each in attention(backbone, images, images).items()
        if "stage" in name
    )
    maps = attention(backbone, images, changed)
    assert [tuple(each.shape) for each in maps.values()] == [(2, 16, 16), (2, 8, 8), (2, 8, 8)]
    energy = (backbone(changed)[1] - backbone(images)[1]).square().sum(1)
    assert torch.equal(maps["stage 1"], energy)


def test_pairs_of_one_source_are_drawn_together() -> None:
    drawn = cluster_weights(["a", "b", "a", "c"])
    assert drawn.shape == (RESAMPLES, 4)
    assert (drawn[:, 0] == drawn[:, 2]).all() and (drawn[:, [0, 1, 3]].sum(1) == 3).all()
    shares, areas = np.array([0.5, 0.5, 0.5, 0.5]), np.array([0.1, 0.1, 0.1, 0.1])
    assert ratio(shares, areas, drawn) == pytest.approx((5, 5, 5))
    many = cluster_weights([str(number) for number in range(400)])
    values = np.random.default_rng(0).normal(0.5, 0.1, 400)
    estimate = ratio(values, np.ones(400), many)
    half = 1.96 * values.std() / 20
    assert estimate.high - estimate.value == pytest.approx(half, rel=0.1)
    assert estimate.value - estimate.low == pytest.approx(half, rel=0.1)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attention") / "good"
    write_pictures(folder, 12, height=64, width=64)
    return folder


def small_recipe(good: Path, *more: str) -> synthgen.Recipe:
    source = f"source={{kind: folder, path: {good}, held_out: 0.3}}"
    return synthgen.load_recipe("cutpaste", ["size=[64,64]", source, *more])


def test_a_report_holds_every_pair_and_draws_a_sheet(good: Path, tmp_path: Path) -> None:
    report = attention_of("random", "cutpaste", tmp_path / "out", source=good, pairs=5, side=64, device="cpu")
    written = json.loads((tmp_path / "out" / "attention.json").read_text())
    assert written["pairs"] == len(report.areas) == 5
    assert set(written["maps"]) == {"stage 1", "stage 2", "stage 3", "Grad-CAM"}
    first = written["maps"]["stage 1"]
    assert first["share"] == pytest.approx(np.mean(written["of_pairs"]["stage 1"]))
    assert first["times_area"]["value"] == pytest.approx(first["share"] / written["area"])
    sheet = cv2.imread(str(tmp_path / "out" / "attention.png"))
    assert sheet is not None and sheet.shape[0] > 5 * 192
    plan = synthgen.freeze(synthgen.load_recipe("cutpaste"))
    assert {image.split for image in plan.images} == {"train"}
    again = attention_of("random", "cutpaste", source=good, pairs=5, side=64, device="cpu")
    assert all((again.shares[name] == report.shares[name]).all() for name in report.shares)


def test_shards_are_looked_at_through_their_plan(good: Path, tmp_path: Path) -> None:
    recipe = synthgen.load_recipe(
        "cutpaste", ["size=[64,64]", "count=12", "split=all", f"source={{kind: folder, path: {good}}}"]
    )
    synthgen.generate(recipe, tmp_path / "shards", workers=1)
    report = attention_of("random", tmp_path / "shards", pairs=50, device="cpu")
    plan = synthgen.freeze(recipe)
    held_out = {image.sha256 for image in plan.images if image.split == "held-out"}
    assert set(report.sources) <= held_out and 0 < len(report.sources) < 12
    assert report.plan == plan.fingerprint


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing.safetensors", "cutpaste"), "there is no such file"),
        (("random", "nothing"), "no such file, and no shipped recipe"),
        (("random", "sia"), "makes whole images"),
    ],
)
def test_what_cannot_be_looked_at(arguments: tuple[str, str], told: str, good: Path) -> None:
    with pytest.raises(InputError, match=told):
        attention_of(*arguments, source=good, pairs=2, side=64, device="cpu")


def test_categories_are_those_of_a_source(good: Path) -> None:
    with pytest.raises(InputError, match="give one, or leave them out"):
        attention_of("random", "cutpaste", categories=["bottle"], pairs=2, side=64, device="cpu")


@pytest.mark.parametrize(("pairs", "side"), [(2, 8), (2, 100_000), (10**11, 64)])
def test_sizes_and_counts_are_those_of_recipes(good: Path, pairs: int, side: int) -> None:
    with pytest.raises(InputError, match="expected"):
        attention_of("random", "cutpaste", source=good, pairs=pairs, side=side, device="cpu")


def test_shards_of_images_that_were_trained_on_are_refused(good: Path, tmp_path: Path) -> None:
    recipe = synthgen.load_recipe(
        "cutpaste", ["size=[64,64]", "count=2", f"source={{kind: folder, path: {good}}}"]
    )
    synthgen.generate(recipe, tmp_path / "shards", workers=1)
    with pytest.raises(InputError, match="split=held-out"):
        attention_of("random", tmp_path / "shards", pairs=2, device="cpu")
    with pytest.raises(InputError, match="leave --source out"):
        attention_of("random", tmp_path / "shards", source=good, pairs=2, device="cpu")


def test_weights_of_fewer_stages_are_looked_at_as_far_as_they_go(good: Path, tmp_path: Path) -> None:
    small = {"size": 32, "batch": 4, "steps": 1, "stage": 1, "init": "random", "backbone": "resnet18"}
    settings = synthgen.PretrainingSettings.model_validate(small)
    forget_accelerator()
    synthgen.pretrain(good, tmp_path / "w.safetensors", settings, device="cpu")
    forget_accelerator()
    report = attention_of(tmp_path / "w.safetensors", "cutpaste", source=good, pairs=2, side=64, device="cpu")
    assert report.backbone == "resnet18" and set(report.shares) == {"stage 1", "Grad-CAM"}
