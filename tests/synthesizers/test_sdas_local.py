"""Where a local defect may grow, and how it fades in."""

import cv2
import numpy as np
import pytest

from synthgen.synthesizers.common.boxes import Box
from synthgen.synthesizers.sdas_local import fading, free
from tests.synthesizers.scenes import scenes


def test_weights_are_a_smooth_step_of_the_distance_to_the_outline() -> None:
    mask = np.zeros((41, 41), np.uint8)
    cv2.circle(mask, (20, 20), 15, 255, -1)
    weights = fading(mask, 6.0)
    inside = np.argwhere(mask == 0)
    for row, column in ((20, 20), (20, 6), (20, 8), (12, 12), (20, 34)):
        distance = np.sqrt(((inside - (row, column)) ** 2).sum(axis=1).min())
        share = min(distance / 7.0, 1.0)
        assert weights[row, column] == pytest.approx(share**2 * (3 - 2 * share), abs=1e-5)
    assert ((weights > 0) == (mask > 0)).all()
    assert weights.max() == 1.0


def test_a_mask_thinner_than_the_border_still_shows() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[8:11, 3:17] = 255
    assert fading(mask, 6.0).max() == 1.0
    assert not fading(np.zeros((20, 20), np.uint8), 6.0).any()


def test_a_patch_fades_at_its_own_edges_and_not_at_the_image_s() -> None:
    scene = scenes("texture", 48, 48, 3, count=1)[0]
    everything = np.full((16, 16), 255, np.uint8)
    corner = free(everything, Box(left=0, top=32, width=16, height=16), scene)
    expected = everything.copy()
    expected[0] = 0
    expected[:, -1] = 0
    assert np.array_equal(corner, expected)
    middle = free(everything, Box(left=9, top=7, width=16, height=16), scene)
    assert np.array_equal(middle[1:-1, 1:-1], everything[1:-1, 1:-1])
    assert np.count_nonzero(middle) == 14 * 14
    assert fading(corner, 4.0)[15, 0] == 1.0
    whole = np.full((48, 48), 255, np.uint8)
    assert free(whole, Box(left=0, top=0, width=48, height=48), scene).all()
