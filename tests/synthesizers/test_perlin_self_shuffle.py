"""The shuffled grid against a slow version and its inverse."""

import numpy as np
import pytest

from synthgen.images.pixels import Pixels
from synthgen.streams import Stream
from synthgen.synthesizers.common.jitter import Jitter
from synthgen.synthesizers.perlin_self_shuffle import PerlinSelfShuffle, shuffled
from tests.synthesizers.scenes import cloudy, place

GRIDS = [(8, 8), (4, 8), (3, 5), (1, 1), (1, 7), (50, 2)]
SIZES = [(64, 64, 3), (48, 96, 1), (37, 50, 3), (16, 19, 1)]


def order_of(grid: tuple[int, int], seed: int = 0) -> list[int]:
    return Stream(seed, 0, "order").permutation(grid[0] * grid[1])


def slow(image: Pixels, grid: tuple[int, int], order: list[int]) -> Pixels:
    height, width, _ = image.shape
    cell_height, cell_width = -(-height // grid[0]), -(-width // grid[1])
    bottom, right = grid[0] * cell_height - height, grid[1] * cell_width - width
    padded = np.pad(image, [(0, bottom), (0, right), (0, 0)], mode="symmetric")
    result = np.zeros_like(padded)
    for cell, shown in enumerate(order):
        to_y, to_x = cell // grid[1] * cell_height, cell % grid[1] * cell_width
        from_y, from_x = shown // grid[1] * cell_height, shown % grid[1] * cell_width
        result[to_y : to_y + cell_height, to_x : to_x + cell_width] = padded[
            from_y : from_y + cell_height, from_x : from_x + cell_width
        ]
    return result[:height, :width]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("grid", GRIDS)
def test_cells_are_moved_as_the_order_says(grid: tuple[int, int], size: tuple[int, int, int]) -> None:
    image = cloudy(size, 3)
    found = shuffled(image, grid, order_of(grid))
    assert found.flags.c_contiguous
    assert np.array_equal(found, slow(image, grid, order_of(grid)))


@pytest.mark.parametrize(
    ("size", "grid"), [((64, 64, 3), (8, 8)), ((48, 96, 1), (4, 3)), ((60, 50, 3), (3, 5))]
)
def test_the_inverse_order_restores_the_image(size: tuple[int, int, int], grid: tuple[int, int]) -> None:
    image, order = cloudy(size, 4), order_of(grid)
    moved = shuffled(image, grid, order)
    assert not np.array_equal(moved, image)
    assert np.array_equal(np.sort(moved, axis=None), np.sort(image, axis=None))
    assert np.array_equal(shuffled(moved, grid, [order.index(cell) for cell in range(len(order))]), image)


@pytest.mark.parametrize("size", SIZES)
def test_the_order_of_the_grid_itself_changes_nothing(size: tuple[int, int, int]) -> None:
    image = cloudy(size, 5)
    assert np.array_equal(shuffled(image, (3, 4), list(range(12))), image)


def test_the_anomaly_is_the_shuffled_image_with_jitter() -> None:
    scene = place("RGB texture 48x96")[0]
    params = PerlinSelfShuffle(grid=(4, 8)).draw(Stream(0, 0, "test"), scene)
    assert sorted(params.order) == list(range(32))
    positions = np.arange(50, 4000, 7)
    chosen = slow(scene.image, (4, 8), params.order).reshape(-1, 1, 3)[positions]
    found = PerlinSelfShuffle.anomaly(scene, params, positions)
    assert np.array_equal(found, params.jitter.apply(chosen)[:, 0])
    plain = PerlinSelfShuffle(jitter=0).draw(Stream(0, 0, "test"), scene)
    assert plain.jitter == Jitter(brightness=1, contrast=1, saturation=1, hue=0)
