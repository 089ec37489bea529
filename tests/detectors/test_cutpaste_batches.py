"""What CutPaste's training steps see: classes, and patches at the defects."""

import torch

from synthgen.detectors.cutpaste import batches
from synthgen.detectors.cutpaste.batches import classes_of, patches, whole_images
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
