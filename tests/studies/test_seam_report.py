"""Seams and contrast, against slow versions and images made by hand."""

from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from synthgen.defect import Defect, blend, composite
from synthgen.diffusion.model import DiffusionModel, Whole
from synthgen.diffusion.sampling import Sampling
from synthgen.images.pixels import Pixels
from synthgen.pipeline.freeze import freeze
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.record import Record
from synthgen.scene import Scene
from synthgen.sources.builtin import BuiltinSource
from synthgen.synthesizers.common.boxes import Box
from synthgen.synthesizers.common.diffusion import shown_in
from tests.studies import seams
from tests.studies.seam_report import columns, recipe
from tests.studies.seams import Pair, contrast, matched, pairs, seam
from tests.synthesizers.scenes import MemoryLibrary, random_model


def noise(*shape: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def slow_seam(image: Pixels, normal: Pixels, mask: Pixels) -> tuple[float, ...]:
    height, width, _ = image.shape
    inside = mask > 0
    pairs_of = {
        ((row, column), (row + down, column + right))
        for row, column, (down, right) in product(range(height), range(width), ((0, 1), (1, 0)))
        if row + down < height and column + right < width
    }

    def gradient(picture: Any, some: set[Any]) -> float:
        return float(np.mean([np.abs(picture[a].astype(float) - picture[b]).mean() for a, b in sorted(some)]))

    border = {(a, b) for a, b in pairs_of if inside[a] != inside[b]}
    beside = set()
    for a, b in border:
        step = np.subtract(b, a)
        for distance in (-4, -3, 3, 4):
            moved = tuple(tuple(int(x) for x in place + distance * step) for place in (a, b))
            if moved in pairs_of and moved not in border:
                beside.add(moved)
    change = image.astype(int) - normal
    return (
        gradient(image, border),
        gradient(normal, border),
        gradient(image, beside),
        gradient(change, border),
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_a_seam_is_that_of_a_slow_loop(channels: int) -> None:
    image, normal = noise(17, 22, channels, seed=1), noise(17, 22, channels, seed=2)
    mask = np.zeros((17, 22), np.uint8)
    mask[4:12, 9:] = mask[2, 1:4] = mask[8:16, 5] = 255
    assert tuple(seam(image, normal, mask)) == pytest.approx(slow_seam(image, normal, mask))


def square(side: int = 48) -> Pixels:
    mask = np.zeros((side, side), np.uint8)
    mask[12:36, 12:36] = 255
    return mask


def test_a_visible_step_has_a_high_ratio() -> None:
    normal = np.full((48, 48, 3), 100, np.uint8)
    image = np.where(square()[..., None] > 0, np.uint8(130), normal)
    found = seam(image, normal, square())
    assert tuple(found) == (30, 0, 0, 30)
    assert found.to_normal == found.to_surroundings == 31


def test_a_step_that_is_not_there_has_ratio_one() -> None:
    normal = noise(48, 48, 3)
    found = seam(normal, normal, square())
    assert found.to_normal == 1
    assert found.to_surroundings == pytest.approx(1, abs=0.1)


def test_the_step_of_the_change_does_not_depend_on_what_lies_at_the_border() -> None:
    """A defect that takes an edge of the product away lowers the gradient, and has a seam all the same."""
    normal = np.where(square()[..., None] > 0, np.uint8(60), np.full((48, 48, 3), 100, np.uint8))
    image = np.where(square()[..., None] > 0, np.uint8(100), normal)
    found = seam(image, normal, square())
    assert found.to_normal < 0.1
    assert found.step == 40


def test_a_texture_of_the_same_kind_leaves_no_seam() -> None:
    normal = noise(48, 48, 3)
    image = np.where(square()[..., None] > 0, noise(48, 48, 3, seed=9), normal)
    found = seam(image, normal, square())
    assert found.to_normal == pytest.approx(1, abs=0.1)
    assert found.to_surroundings == pytest.approx(1, abs=0.1)


def test_a_defect_that_fades_in_has_less_of_a_seam_than_one_with_an_edge() -> None:
    normal = np.full((48, 48, 1), 100, np.uint8)
    distance = cv2.distanceTransform(square(), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    fading = (normal[..., 0] + np.minimum(distance, 8) * 5).astype(np.uint8)[..., None]
    image = np.where(square()[..., None] > 0, np.uint8(140), normal)
    soft, hard = seam(fading, normal, square()), seam(image, normal, square())
    assert (soft.across, hard.across) == (5, 40)
    assert soft.to_surroundings < 3
    assert hard.to_surroundings > 40


def test_the_image_edge_is_no_border() -> None:
    normal = np.full((20, 20, 1), 100, np.uint8)
    mask = np.zeros((20, 20), np.uint8)
    mask[:, :10] = 255
    image = np.where(mask[..., None] > 0, np.uint8(90), normal)
    image[:, 9:11] = 200
    assert seam(image, normal, mask).across == 0
    assert np.isnan(seam(image, normal, np.full_like(mask, 255)).across)


# The same contrast


def scene(image: Pixels, foreground: Pixels | None = None) -> Scene:
    everything = np.full(image.shape[:2], 255, np.uint8)
    return Scene(
        "scene", "a", "texture", image, everything if foreground is None else foreground, MemoryLibrary()
    )


@pytest.mark.parametrize("wanted", [6, 37, 100, 255])
def test_the_contrast_is_met_exactly_where_there_is_a_weight_for_it(wanted: int) -> None:
    black = scene(np.zeros((48, 48, 3), np.uint8))
    opaque = Defect(0, 0, np.full((48, 48, 3), 255, np.uint8), square())
    made = matched(black, opaque, wanted)
    assert made is not None
    assert contrast(made) == wanted
    assert np.array_equal(made.mask, square())


def test_the_contrast_is_met_on_a_product() -> None:
    foreground = np.zeros((48, 48), np.uint8)
    foreground[:, 20:] = 255
    place, opaque = scene(noise(48, 48, 3), foreground), Defect(0, 0, noise(48, 48, 3, seed=5), square())
    full = contrast(composite(place, opaque))
    for share in (0.03, 0.2, 0.55, 0.99, 1.0):
        made = matched(place, opaque, share * full)
        assert made is not None
        assert contrast(made) == pytest.approx(share * full, abs=full / 255 / 2 + 0.1)
        assert np.array_equal(made.mask, cv2.bitwise_and(square(), foreground))


@pytest.mark.parametrize("share", [0.01, 1.01])
def test_a_contrast_that_no_opacity_gives(share: float) -> None:
    black = scene(np.zeros((48, 48, 3), np.uint8))
    opaque = Defect(0, 0, np.full((48, 48, 3), 100, np.uint8), square())
    assert matched(black, opaque, share * 100) is None


def test_a_defect_without_any_contrast_is_left_out() -> None:
    image = np.full((48, 48, 3), 100, np.uint8)
    assert matched(scene(image), Defect(0, 0, image, square()), 5) is None


def blended_again(model: DiffusionModel, pair: Pair) -> Pixels:
    """Of the numbers in the record of sdas-local."""
    drawn = Record.model_validate_json(pair.local.facts.params).drawn["picture"]
    whole = Whole(drawn["noise_seed"], drawn["s"], pair.local.facts.category)
    picture = shown_in(
        Box(left=0, top=0, width=32, height=32),
        model.whole([whole], Sampling.model_validate(drawn["sampling"]))[0],
        pair.local.normal.shape[2],
    )
    weight = (pair.blended.mask > 0) * pair.blended.alpha.max()
    return blend(picture, pair.local.normal, weight.astype(np.uint8))


def test_pairs_have_one_image_mask_noise_and_contrast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seams, "CHUNK", 8)
    model = random_model(tmp_path / "model", size=32, categories=["brick"])
    plan = freeze(recipe(BuiltinSource(categories=["brick"]), str(model), "exact", seed=1))
    tally: Counter[str] = Counter()
    found = list(pairs(Pipeline(plan), 5, tally))
    assert len(found) == tally["compared"] == 5
    for pair in found:
        assert pair.blended.scene is pair.local.scene
        assert np.array_equal(pair.blended.image, blended_again(DiffusionModel(model), pair))
        assert contrast(pair.blended) == pytest.approx(pair.local.facts.contrast, abs=0.5)
        # sdas-local labels what changed, which is inside of the mask that both drew.
        assert not (pair.local.mask & ~pair.blended.mask).any()
        local, blended, same = columns(pair)
        assert pair.on_same_mask
        assert same
        assert np.array_equal(pair.on_same_mask.mask, pair.local.mask)
        assert same.contrast == pytest.approx(local.contrast, abs=0.5)
        assert same.seam.before == local.seam.before
        assert local.contrast == pair.local.facts.contrast
        assert local.area == pytest.approx(pair.local.facts.area, abs=1e-6)
        assert local.area <= blended.area
        assert local.unseen.to_normal == blended.unseen.to_normal == 1
