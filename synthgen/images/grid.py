"""The grid of cells, of 8 x 8 pixels, that images are looked at in."""

import numpy as np
import numpy.typing as npt

STRIDE = 8
"""Pixels of a cell's side."""

Cells = npt.NDArray[np.bool_]
"""(rows, columns), of an image or of the cells that a box touches."""


def touched(box: tuple[int, int, int, int]) -> tuple[slice, slice]:
    """The rows and the columns of cells that a box (left, top, right, bottom) touches."""
    left, top, right, bottom = box
    return slice(top // STRIDE, -(-bottom // STRIDE)), slice(left // STRIDE, -(-right // STRIDE))


def pixels_of(cells: Cells, box: tuple[int, int, int, int]) -> Cells:
    """Which pixels (h, w) of a box lie in the marked ones of the cells that it touches."""
    left, top, right, bottom = box
    large = cells.repeat(STRIDE, 0).repeat(STRIDE, 1)
    rows, columns = top % STRIDE, left % STRIDE
    return large[rows : rows + bottom - top, columns : columns + right - left]


def text_of(cells: Cells) -> str:
    """Cells, row by row, a bit each, in hexadecimal."""
    return np.packbits(cells.ravel()).tobytes().hex()


def cells_from(text: str, box: tuple[int, int, int, int]) -> Cells:
    """The cells that a box touches, as `text_of` wrote them. Raises ValueError for another text."""
    rows, columns = touched(box)
    shape = rows.stop - rows.start, columns.stop - columns.start
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))
    count = shape[0] * shape[1]
    if not count <= len(bits) < count + 8:
        raise ValueError(f"{len(bits)} bits, expected {count}")
    return bits[:count].reshape(shape).astype(np.bool_)
