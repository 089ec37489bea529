"""The foreground of large pictures: that of a smaller copy, at the picture's own size."""

import cv2
import numpy as np
import pytest

from synthgen.images.pixels import Pixels
from synthgen.regions.foreground_rule import ForegroundRule, Segmentation, apply
from synthgen.regions.large_pictures import COPY_SIDE, foreground_of, smaller_copy


def disc(height: int, width: int, channels: int = 1) -> tuple[Pixels, Pixels]:
    """A bright disc on a dark ground (H, W, C), and where it is (H, W)."""
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, (width // 3, height // 2), height // 4, 255, -1)
    noise = np.random.default_rng(0).integers(0, 20, (height, width, channels))
    return np.where(mask[..., None] > 0, 180 + noise, 30 + noise).astype(np.uint8), mask


RULE = ForegroundRule(product_type="object", segmentation=Segmentation(side="bright"))


@pytest.mark.parametrize("shape", [(2100, 3000), (3000, 1500)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_outline_is_right_within_the_copy_s_pixels(shape: tuple[int, int], channels: int) -> None:
    picture, mask = disc(*shape, channels)
    copy = smaller_copy(picture)
    assert min(copy.shape[:2]) == COPY_SIDE
    assert copy.shape[2] == channels
    found = foreground_of(RULE, picture)
    assert set(np.unique(found)) == {0, 255}
    wrong = cv2.morphologyEx((found != mask).astype(np.uint8), cv2.MORPH_OPEN, np.ones((4, 4), np.uint8))
    assert found.shape == mask.shape
    assert not wrong.any()


def test_small_pictures_are_taken_as_they_are() -> None:
    picture, _ = disc(300, 400)
    assert smaller_copy(picture) is picture
    assert np.array_equal(foreground_of(RULE, picture), apply(RULE, picture))


def test_without_a_segmentation_everything_is_foreground() -> None:
    found = foreground_of(ForegroundRule(product_type="texture"), np.zeros((1500, 1200, 3), np.uint8))
    assert found.shape == (1500, 1200)
    assert (found == 255).all()
