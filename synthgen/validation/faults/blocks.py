"""What was done to whole images, by the frequencies of their blocks of 8 x 8 pixels outside of the masks."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.images.pixels import Mask, Pixels
from synthgen.validation.faults.triples import Triple

SIDE = 8
MARGIN = 16
"""Pixels around a mask that are left out: a JPEG with halved colours spreads a defect over 16."""
BLOCKS = 256
"""Of each image, evenly spread: those of 32 images give 8,192 values for each frequency."""

STEPS = range(2, 41)
"""Steps of rounding that are looked for: those of JPEG qualities 50 to 98 for most frequencies."""
FEWEST = 50
"""Values of a frequency without which nothing is said of it."""
ROUNDED = 0.3
"""Mean cosine of the phase within a step: 1 for multiples of it, 0 or less for values of any size. Rounding
the pixels to whole levels, as decoding does, leaves 0.6 of it at a step of 2."""
MOST_FREQUENCIES = 0.25
"""Share of the frequencies that are rounded: 0.35 at quality 99 and more at all lower ones; less than 0.05
after blur, noise and other tones."""

FINEST = 6
"""Frequencies from this row or column on are the finest detail."""
LEAST_ENERGY = 100.0
"""Of a block's finest detail, so that the rounding of pixels, which makes 2, says nothing."""

Value = TypeVar("Value", bound=np.generic)
Frequencies = npt.NDArray[np.float32]
"""(K, 8, 8): the cosine transforms of K blocks."""


class _Both(NamedTuple):
    """The same blocks of samples and of their normal images."""

    images: Frequencies
    normals: Frequencies


def is_compressed(samples: Sequence[Triple]) -> bool:
    """Whether images hold rounded frequencies as a JPEG does, and their normal images do not."""
    both = _frequencies(samples)
    images, normals = (_roundness(each.reshape(-1, SIDE * SIDE)[:, 1:]) for each in both)
    rounded = np.where(images - normals > ROUNDED, images, -1.0).max(0) > ROUNDED
    known = np.isfinite(images).any(0)
    return bool(known.any() and rounded.sum() / known.sum() > MOST_FREQUENCIES)


def detail_left(samples: Sequence[Triple]) -> float | None:
    """Energy of the finest detail relative to that of the normal images, median over the blocks with any.

    None where no block outside of the masks has any.
    """
    images, normals = (_finest(each) for each in _frequencies(samples))
    detailed = normals > LEAST_ENERGY
    return float(np.median(images[detailed] / normals[detailed])) if detailed.any() else None


def _roundness(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """How near (K, F) values are to multiples of each step, (steps, F), 1 at most; NaN where too few say so.

    Values that would be rounded to 0 are left out: detail that is not there is a multiple of any step.
    """
    found = np.full((len(STEPS), values.shape[1]), np.nan)
    for number, step in enumerate(STEPS):
        counted = np.abs(values) >= step / 2
        counts = counted.sum(0)
        phases = np.cos(values * np.float32(2 * np.pi / step)) * counted
        found[number] = np.where(counts >= FEWEST, phases.sum(0) / np.maximum(counts, 1), np.nan)
    return found


def _finest(blocks: Frequencies) -> npt.NDArray[np.float64]:
    """Energy of the finest detail of each block, (K,)."""
    energy = blocks.astype(np.float64) ** 2
    return energy[:, FINEST:].sum((1, 2)) + energy[:, :FINEST, FINEST:].sum((1, 2))


def _frequencies(samples: Sequence[Triple]) -> _Both:
    images, normals = [], []
    for sample in samples:
        places = _places(sample.mask)
        images.append(_blocks(sample.image)[places])
        normals.append(_blocks(sample.normal)[places])
    transform = _cosines()
    return _Both(*(transform @ np.concatenate(each) @ transform.T for each in (images, normals)))


def _places(mask: Mask) -> npt.NDArray[np.intp]:
    """Numbers of the blocks, row by row, to which nothing of the defect has spread."""
    kernel = np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), np.uint8)
    spread = cv2.dilate(mask.astype(np.uint8), kernel)
    free = np.flatnonzero(~_cut(spread).any((1, 2)))
    return free[:: max(1, len(free) // BLOCKS)][:BLOCKS]


def _blocks(image: Pixels) -> npt.NDArray[np.float32]:
    """The brightness of an RGB image, which JPEG keeps apart from colours, in blocks (K, 8, 8)."""
    return _cut(image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))


def _cut(plane: npt.NDArray[Value]) -> npt.NDArray[Value]:
    """The whole blocks of an (H, W) array, row by row, (K, 8, 8)."""
    rows, columns = plane.shape[0] // SIDE, plane.shape[1] // SIDE
    whole = plane[: rows * SIDE, : columns * SIDE]
    return whole.reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE)


def _cosines() -> npt.NDArray[np.float32]:
    """The orthonormal discrete cosine transform of 8 values, as a matrix."""
    number = np.arange(SIDE)
    matrix = np.cos((2 * number[None] + 1) * number[:, None] * np.pi / (2 * SIDE)) / 2
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)
