"""Cells of 8 x 8 pixels: which a box touches, and which pixels lie in some of them."""

import numpy as np
import pytest

from synthgen.images.grid import cells_from, pixels_of, text_of, touched

BOXES = [(0, 0, 8, 8), (3, 5, 4, 6), (7, 8, 9, 25), (16, 3, 40, 61), (1, 1, 64, 64)]


@pytest.mark.parametrize("box", BOXES)
def test_a_pixel_is_marked_where_its_cell_is(box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    whole = np.random.default_rng(left).random((8, 8)) < 0.5
    marked = pixels_of(whole[touched(box)], box)
    assert marked.shape == (bottom - top, right - left)
    for y in range(top, bottom):
        for x in range(left, right):
            assert marked[y - top, x - left] == whole[y // 8, x // 8]


@pytest.mark.parametrize("box", BOXES)
def test_cells_are_read_back(box: tuple[int, int, int, int]) -> None:
    cells = np.random.default_rng(7).random((8, 8))[touched(box)] < 0.5
    assert (cells_from(text_of(cells), box) == cells).all()


@pytest.mark.parametrize("text", ["", "ff" * 9, "zz", "f"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        cells_from(text, (1, 1, 64, 64))
