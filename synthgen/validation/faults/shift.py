"""Whether masks lie beside what they label."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from synthgen.validation.faults.triples import Triple

REACH = 8
"""Masks are moved by up to an eighth of the side: farther than slips of a crop or a resize go."""
EXPLAINED = 0.75
"""Share of the changes outside that moving the masks has to explain. A mask that is too small on all sides
comes to lie on one side of its defect and leaves the other, which explains no more than half."""

Floats = npt.NDArray[np.float64]


class Shift(NamedTuple):
    """How far masks lie below and to the right of what was changed, pixels."""

    dy: int
    dx: int
    explained: float
    """Share of the changes outside of the masks that then lie inside."""


def shift_of(samples: Sequence[Triple]) -> Shift | None:
    """By how much all masks were moved away from the changes; None where that does not explain them."""
    height, width = samples[0].mask.shape
    down, right = height // REACH, width // REACH
    shape = (height + down, width + right)  # no shift wraps around
    frame = np.fft.rfft2(np.ones((height, width)), shape)
    covered, changed = np.zeros_like(frame), np.zeros_like(frame)
    for sample in samples:
        of_change = np.conj(np.fft.rfft2(sample.change() > 0, shape))
        covered += of_change * np.fft.rfft2(sample.mask, shape)
        changed += of_change * frame

    def by_shift(spectrum: npt.NDArray[np.complex128]) -> Floats:
        """Pixels at each dy and dx, (2 down + 1, 2 right + 1)."""
        counts = np.rint(np.fft.irfft2(spectrum, shape))
        rows, columns = np.arange(-down, down + 1), np.arange(-right, right + 1)
        return counts[np.ix_(rows, columns)]

    inside = by_shift(covered)
    # What moves out of the frame is no mask's to cover.
    outside = by_shift(changed) - inside
    best = np.argwhere(inside == inside.max()) - (down, right)
    dy, dx = (int(each) for each in best[np.abs(best).sum(1).argmin()])
    explained = 1 - outside[dy + down, dx + right] / outside[down, right]
    return Shift(dy, dx, float(explained)) if explained >= EXPLAINED else None
