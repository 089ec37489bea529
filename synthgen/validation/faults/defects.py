"""Samples in which there is no defect, or none that can be seen."""

from collections.abc import Sequence

import numpy as np

from synthgen.validation.faults.triples import Triple
from synthgen.validation.report import Fault

INVISIBLE = "invisible"
FEW_SAMPLES = "few samples"

SEEN = 2.0
"""Mean change in the mask, grey levels, below which nobody sees a defect; the least `min_contrast`."""
MOST_UNSEEN = 0.1
"""Share of the samples: more labels that are not true change what a detector learns."""
MOST_WITHOUT = 0.05
"""Share of the samples without a defect: so many are missing from the numbers without changing them."""


def invisible(defects: Sequence[Triple], name: str) -> Fault | None:
    """Whether many samples with a mask, ``defects``, hardly differ from their normal images inside of it.

    By the pixels, since what a set says of its contrasts need not be true.
    """
    contrasts = np.array([sample.change()[sample.mask].mean() for sample in defects])
    unseen = np.count_nonzero(contrasts < SEEN)
    if unseen <= MOST_UNSEEN * len(defects):
        return None
    return Fault(
        subject=name,
        fault=INVISIBLE,
        sentence=f"in {unseen} of {len(defects)} samples with a defect ({unseen / len(defects):.0%}) the "
        f"image changes by less than {SEEN:g} grey levels inside of the mask, in the median of all by "
        f"{np.median(contrasts):.1f}: the label says that there is a defect where none can be seen.",
    )


def few_samples(samples: Sequence[Triple], name: str) -> Fault | None:
    """Whether many samples have an empty mask."""
    without = sum(not sample.mask.any() for sample in samples)
    if without <= MOST_WITHOUT * len(samples):
        return None
    return Fault(
        subject=name,
        fault=FEW_SAMPLES,
        sentence=f"{without} of {len(samples)} samples ({without / len(samples):.0%}) show no defect: a "
        "detector learns from and is judged on fewer defects than were asked for.",
    )
