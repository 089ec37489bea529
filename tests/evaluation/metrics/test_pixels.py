"""Checking maps and masks, and ranking their pixels within bounds of memory."""

import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from synthgen.errors import InputError
from synthgen.evaluation.metrics.pixels import LabelledMaps, rank_pixels
from tests.evaluation.metrics.maps import random_maps


def test_all_pixels_of_maps_of_any_size_are_ranked_together() -> None:
    maps, masks = random_maps(0)
    ranking = rank_pixels(LabelledMaps(maps, masks))
    pixels, anomalous = (np.concatenate([array.ravel() for array in arrays]) for arrays in (maps, masks))
    assert np.array_equal(ranking.anomalous, np.sort(pixels[anomalous]))
    assert np.array_equal(ranking.normal, np.sort(pixels[~anomalous]))
    assert ranking.normal.dtype == np.float32


def test_masks_of_any_kind_mean_the_same() -> None:
    maps, masks = random_maps(1)
    expected = rank_pixels(LabelledMaps(maps, masks))
    for other in ([mask * np.uint8(255) for mask in masks], [mask.astype(np.uint16) for mask in masks]):
        ranking = rank_pixels(LabelledMaps(maps, other))
        assert np.array_equal(ranking.anomalous, expected.anomalous)
    assert LabelledMaps(maps, masks).anomalous().tolist() == [bool(mask.any()) for mask in masks]


def test_a_wider_float_makes_no_ties() -> None:
    fine = np.array([[1, 1 + 1e-12]])
    ranking = rank_pixels(LabelledMaps([fine, np.ones((1, 2), np.float32)], [fine > 1, np.zeros((1, 2))]))
    assert ranking.anomalous[0] > ranking.normal.max()


@pytest.mark.parametrize(
    ("maps", "masks", "message"),
    [
        ([], [], "0 anomaly maps for 0 masks"),
        ([np.zeros((4, 4))], [], "1 anomaly maps for 0 masks; one map for each mask is expected"),
        (
            [np.zeros((4, 4)), np.zeros((4, 5))],
            [np.zeros((4, 4))] * 2,
            "anomaly map 1 is 4 x 5, its mask 4 x 4; one size is expected",
        ),
        ([np.zeros((1, 4, 4))], [np.zeros((1, 4, 4))], "anomaly map 0 is 1 x 4 x 4"),
        ([np.full((4, 4), np.nan)], [np.zeros((4, 4))], "anomaly map 0 has scores that are NaN or infinite"),
        ([np.full((4, 4), -np.inf)], [np.zeros((4, 4))], "anomaly map 0 has scores that are NaN or infinite"),
    ],
)
def test_maps_that_fit_no_mask_are_refused(
    maps: list[npt.NDArray[Any]], masks: list[npt.NDArray[Any]], message: str
) -> None:
    with pytest.raises(InputError) as error:
        LabelledMaps(maps, masks)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("mask", "present", "absent"), [(0, "normal", "anomalous"), (1, "anomalous", "normal")]
)
def test_masks_of_one_kind_cannot_be_ranked(mask: int, present: str, absent: str) -> None:
    pixels = LabelledMaps([np.zeros((4, 4))] * 3, [np.full((4, 4), mask)] * 3)
    with pytest.raises(
        InputError, match=f"all pixels of 3 masks are {present}; pixel metrics need {absent} ones"
    ):
        rank_pixels(pixels)


def test_ranking_needs_one_copy_of_the_scores() -> None:
    generator = np.random.default_rng(0)
    maps = generator.random((64, 128, 128), dtype=np.float32)
    masks = generator.random((64, 128, 128)) < 0.3
    tracemalloc.start()
    rank_pixels(LabelledMaps(list(maps), list(masks)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.1 * maps.nbytes
