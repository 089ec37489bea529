"""What CutPaste's training steps see: classes, patches at the defects, and jittered colours."""

import colorsys
from typing import NamedTuple

import pytest
import torch
from torch import Generator, Tensor

from synthgen.detectors.cutpaste import batches
from synthgen.detectors.cutpaste.batches import classes_of, jittered, patches, whole_images
from synthgen.detectors.inputs import AnomalyBatch
from synthgen.streams import Stream
from tests.detectors.images import Spots, normal_images

METHODS = ("bright", "dark")


def samples(count: int = 6) -> AnomalyBatch:
    """Of which the second has no defect."""
    batch = Spots(normal_images(count)).batch(range(count))
    batch.masks[1] = False
    batch.images[1] = batch.normals[1]
    return batch


def test_a_class_is_the_method_or_all_of_them_and_0_without_a_defect() -> None:
    assert classes_of(samples(), METHODS, by_method=True) == [1, 0, 1, 2, 1, 2]
    assert classes_of(samples(), METHODS, by_method=False) == [1, 0, 1, 1, 1, 1]


def test_whole_images_are_the_samples_behind_good_products() -> None:
    batch = samples()
    found = whole_images(batch, [1, 0, 1, 2, 1, 2], 3)
    assert torch.equal(found.images, torch.cat([batch.normals[:3], batch.images]))
    assert found.classes.tolist() == [0, 0, 0, 1, 0, 1, 2, 1, 2]


def test_patches_show_the_defect_and_the_good_product_at_the_same_place() -> None:
    batch = samples(40)
    marked = batch._replace(images=batch.masks[:, None].expand(-1, 3, -1, -1).float(), normals=batch.images)
    classes = classes_of(batch, METHODS, by_method=True)
    there = patches(marked, classes, 20, 32, Stream(0, 0, "places"))
    pairs = patches(batch._replace(normals=batch.images), classes, 40, 32, Stream(0, 0, "places"))
    assert there.images.shape == (60, 3, 32, 32)
    shown = there.images[20:].amax((1, 2, 3)) > 0
    assert shown.tolist() == [kind > 0 for kind in classes]
    assert there.classes.tolist() == [0] * 20 + classes
    assert torch.equal(pairs.images[:40], pairs.images[40:])
    assert torch.equal(there.images[:20], pairs.images[:20])


def test_a_patch_has_a_pixel_of_the_defect_in_its_middle_half_unless_the_border_is_near() -> None:
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[30, 34] = True
    places = {batches._place(mask, 16, Stream(0, number, "place")) for number in range(200)}
    assert {30 - top for top, _ in places} == {34 - left for _, left in places} == set(range(4, 13))
    mask[30, 34], mask[0, 63] = False, True
    assert batches._place(mask, 16, Stream(0, 0, "place")) == (0, 48)


class Factors(NamedTuple):
    brightness: float = 0.5
    contrast: float = 0.5
    saturation: float = 0.5
    hue: float = 0.5


def jittered_by(images: Tensor, factors: Factors, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Drawn numbers from 0 to 1, of which 0.5 changes nothing."""
    with monkeypatch.context() as patch:
        drawn = torch.tensor(factors).view(4, 1, 1, 1, 1)
        patch.setattr(torch, "rand", lambda *_, **__: drawn)
        return jittered(images, Generator())


def test_jitter_is_that_of_its_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    image = 0.2 + 0.5 * normal_images(1)
    assert torch.allclose(jittered_by(image, Factors(), monkeypatch), image, atol=1e-6)
    brighter = jittered_by(image, Factors(brightness=1), monkeypatch)
    assert torch.allclose(brighter, 1.1 * image, atol=1e-6)
    grey = (0.299 * image[:, 0] + 0.587 * image[:, 1] + 0.114 * image[:, 2])[:, None]
    flatter = jittered_by(image, Factors(contrast=0), monkeypatch)
    assert torch.allclose(flatter, grey.mean() + 0.9 * (image - grey.mean()), atol=1e-6)
    paler = jittered_by(image, Factors(saturation=0), monkeypatch)
    assert torch.allclose(paler, grey + 0.9 * (image - grey), atol=1e-6)


def test_the_hue_is_turned_by_a_tenth_of_the_circle_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pure colours of middle brightness, by the hue of the hexagon, which differs by some degrees."""
    for colour in ([0.6, 0.3, 0.3], [0.3, 0.6, 0.3], [0.3, 0.3, 0.6]):
        image = torch.tensor(colour).view(1, 3, 1, 1)
        turned = jittered_by(image, Factors(hue=1), monkeypatch)
        before, after = (colorsys.rgb_to_hsv(*each.flatten().tolist())[0] for each in (image, turned))
        assert (after - before) % 1 == pytest.approx(0.1, abs=0.02)
        assert turned.mean().item() == pytest.approx(image.mean().item(), abs=1e-6)
    grey = torch.full((1, 3, 2, 2), 0.4)
    assert torch.allclose(jittered_by(grey, Factors(hue=1), monkeypatch), grey)


def test_every_image_has_a_jitter_of_its_own() -> None:
    image = normal_images(1).expand(4, -1, -1, -1)
    found = jittered(image, Generator().manual_seed(1))
    assert torch.equal(found, jittered(image, Generator().manual_seed(1)))
    assert all((found[0] - other).abs().max() > 1e-3 for other in found[1:])
    assert 0 <= found.min() <= found.max() <= 1
