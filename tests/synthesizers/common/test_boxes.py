"""Where patches go, and how they are turned."""

import math

import cv2
import numpy as np
import pytest

from synthgen.images.pixels import Pixels
from synthgen.scene import Scene
from synthgen.streams import Stream
from synthgen.synthesizers.common.boxes import Box, box_around, foreground_point, place, turned, turned_size
from tests.synthesizers.scenes import MemoryLibrary, cloudy, disc, frozen

HEIGHT, WIDTH = 60, 100


def scene(foreground: Pixels) -> Scene:
    image = cloudy((*foreground.shape, 3), 0)
    return Scene("0" * 64, "test", "object", frozen(image), frozen(foreground), MemoryLibrary())


def stream(index: int) -> Stream:
    return Stream(4, index, "test")


@pytest.mark.parametrize("min_overlap", [0.0, 0.25, 0.6, 0.9])
def test_enough_of_a_box_lies_on_the_foreground(min_overlap: float) -> None:
    on_disc = scene(disc(HEIGHT, WIDTH))
    for index in range(200):
        box = place(stream(index), on_disc, 16, 12, min_overlap)
        assert (box.width, box.height) == (16, 12)
        assert 0 <= box.left <= WIDTH - 16
        assert 0 <= box.top <= HEIGHT - 12
        on_foreground = box.of(on_disc.foreground)
        assert np.count_nonzero(on_foreground) >= min_overlap * on_foreground.size


def test_where_no_place_is_good_enough_it_is_the_best_that_was_seen() -> None:
    ring = disc(HEIGHT, WIDTH) - cv2.erode(disc(HEIGHT, WIDTH), np.ones((3, 3), np.uint8))
    on_ring = scene(ring)
    for index in range(20):
        box = place(stream(index), on_ring, 20, 20, 0.9)
        seen, again = [], stream(index)
        for _ in range(20):
            x, y = foreground_point(again, on_ring)
            seen.append(np.count_nonzero(box_around(on_ring, x, y, 20, 20).of(ring)))
        assert np.count_nonzero(box.of(ring)) == max(seen)


def test_places_are_drawn_from_the_whole_foreground() -> None:
    shape = np.zeros((20, 30), np.uint8)
    shape[2:18, 3:9] = 255
    shape[10:18, 20:28] = 255
    two = scene(shape)
    seen = np.zeros(shape.shape, int)
    for index in range(3000):
        x, y = foreground_point(stream(index), two)
        seen[y, x] += 1
    assert not seen[shape == 0].any()
    assert (seen[shape > 0] > 0).all()
    # 160 pixels, of which 96 in the left part; four standard errors.
    assert abs(seen[:, :15].sum() / 3000 - 0.6) < 0.036


def test_a_patch_as_large_as_the_image_has_one_place() -> None:
    for foreground in (disc(HEIGHT, WIDTH), np.full((HEIGHT, WIDTH), 255, np.uint8)):
        box = place(stream(0), scene(foreground), WIDTH, HEIGHT, 0.25)
        assert box == Box(left=0, top=0, width=WIDTH, height=HEIGHT)


def test_an_empty_foreground_ends_the_search() -> None:
    box = place(stream(0), scene(np.zeros((HEIGHT, WIDTH), np.uint8)), 10, 10, 0.25)
    assert box == Box(left=0, top=0, width=10, height=10)


@pytest.mark.parametrize(
    ("x", "y", "left", "top"), [(50, 30, 45, 26), (0, 0, 0, 0), (99, 59, 89, 51), (4, 58, 0, 51)]
)
def test_a_box_around_a_point_is_moved_into_the_image(x: int, y: int, left: int, top: int) -> None:
    whole = scene(np.full((HEIGHT, WIDTH), 255, np.uint8))
    assert box_around(whole, x, y, 11, 9) == Box(left=left, top=top, width=11, height=9)


@pytest.mark.parametrize("degrees", [-180.0, -90.0, -31.0, 0.0, 0.5, 45.0, 90.0, 133.0])
@pytest.mark.parametrize(("width", "height"), [(30, 20), (17, 31), (40, 4), (2, 12)])
def test_a_turned_patch_keeps_its_area_in_one_piece(width: int, height: int, degrees: float) -> None:
    pixels, alpha = cloudy((height, width, 3), 1), np.full((height, width), 255, np.uint8)
    colours, weights = turned(pixels, alpha, degrees)
    new_width, new_height = turned_size(width, height, degrees)
    assert weights.shape == (new_height, new_width)
    assert colours.shape == (new_height, new_width, 3)
    # A pixel of the outline is in or out by its centre.
    assert abs(np.count_nonzero(weights) - width * height) <= 0.35 * 2 * (width + height)
    assert cv2.connectedComponents(weights, connectivity=8)[0] == 2
    turn = math.radians(degrees)
    corners = [complex(width, height), complex(width, -height)]
    reach = max(abs((corner * complex(math.cos(turn), math.sin(turn))).real) for corner in corners)
    assert new_width == math.ceil(reach - 1e-9)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("width", "height"), [(7, 4), (6, 6), (5, 9)])
def test_quarter_turns_are_exact_and_counter_clockwise(width: int, height: int, channels: int) -> None:
    pixels = cloudy((height, width, channels), 1)
    alpha = np.random.default_rng(0).integers(1, 256, (height, width), dtype=np.uint8)
    for quarters in (-1, 1, 2):
        colours, weights = turned(pixels, alpha, 90.0 * quarters)
        assert np.array_equal(colours, np.rot90(pixels, quarters))
        assert np.array_equal(weights, np.rot90(alpha, quarters))


def test_no_turn_changes_nothing() -> None:
    pixels, alpha = cloudy((8, 9, 3), 1), np.full((8, 9), 7, np.uint8)
    colours, weights = turned(pixels, alpha, 0)
    assert np.array_equal(colours, pixels)
    assert np.array_equal(weights, alpha)
