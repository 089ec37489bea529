"""Changes where the mask says that nothing was changed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from synthgen.sources.evenly import evenly
from synthgen.validation.faults.blocks import detail_left, is_compressed
from synthgen.validation.faults.shift import Shift, shift_of
from synthgen.validation.faults.triples import Triple
from synthgen.validation.report import Fault

SHIFTED = "mask is shifted"
REENCODED = "re-encoded"
RESIZED = "resized once more"
CHANGED = "changed outside of the mask"

LOOKED_AT = 32
"""So many samples tell what was done to all of them."""
BLURRED = 0.7
"""Share of the finest detail that is left. Resizing to 90 % and back leaves at most 0.65 of it, whatever the
interpolation; noise, brightness and sharpening leave all or add to it. WebP leaves no trace in blocks, and
may remove as much from smooth pictures."""


class _Changes(NamedTuple):
    """What differs outside of the masks."""

    samples: list[Triple]
    """Those in which something does."""
    pixels: float
    """Mean share of the pixels outside that differ."""
    levels: float
    """By how many grey levels those differ, mean."""


def changed_outside(samples: Sequence[Triple], name: str) -> Fault | None:
    """Whether images differ from their normal images outside of the mask, and by what, as far as it shows.

    Nothing is tolerated, since samples in memory have seen no lossy format.
    """
    changes = _changes(samples)
    if not changes.samples:
        return None
    where = f"{changes.pixels:.1%}" if changes.pixels >= 0.001 else "less than 0.1%"
    found = (
        f"in {len(changes.samples)} of {len(samples)} samples the image differs from its normal image "
        f"outside of the mask, on {where} of the pixels there and by {changes.levels:.1f} grey "
        "levels"
    )
    fault, explanation = _explained(evenly(changes.samples, LOOKED_AT))
    return Fault(subject=name, fault=fault, sentence=f"{found}: {explanation}.")


def _changes(samples: Sequence[Triple]) -> _Changes:
    affected, shares, levels = [], [], []
    for sample in samples:
        outside = sample.change()[~sample.mask]
        changed = np.count_nonzero(outside)
        if changed:
            affected.append(sample)
            shares.append(changed / outside.size)
            levels.append(outside.sum(dtype=np.int64) / changed)
    return _Changes(affected, float(np.mean(shares or 0)), float(np.mean(levels or 0)))


def _explained(samples: Sequence[Triple]) -> tuple[str, str]:
    """The name of what was done to the samples, and what it means."""
    if shift := shift_of(samples):
        return SHIFTED, (
            f"the masks lie {_beside(shift)} (dy = {shift.dy:+d}, dx = {shift.dx:+d}), which explains "
            f"{shift.explained:.0%} of it, and a detector learns that defects are where they are not"
        )
    if is_compressed(samples):
        return REENCODED, (
            "its blocks of 8 x 8 pixels hold the rounded frequencies of a JPEG and those of the normal image "
            "do not, so that a detector may learn to find compression instead of defects"
        )
    left = detail_left(samples)
    if left is not None and left < BLURRED:
        return RESIZED, (
            f"only {left:.0%} of the finest detail is left there, as after resizing once more, so that a "
            "detector may learn to find blur instead of defects"
        )
    return CHANGED, "the label says that these pixels are normal, and a detector learns that"


def _beside(shift: Shift) -> str:
    """Where masks lie, such as ``8 pixels too low and 1 pixel too far right``."""
    sides = [
        (shift.dy, "too low" if shift.dy > 0 else "too high"),
        (shift.dx, "too far right" if shift.dx > 0 else "too far left"),
    ]
    return " and ".join(f"{abs(by)} pixel{'s' * (abs(by) > 1)} {where}" for by, where in sides if by)
