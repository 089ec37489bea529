"""A few samples many times."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from synthgen.validation.faults.triples import Thumbnail, Triple, mean_difference, thumbnail
from synthgen.validation.report import Fault

COPIES = "copies"

MOST_COPIES = 0.05
"""Share of samples that are like another: so many change no result, and recipes that draw every place and
size make fewer by chance."""
MOST_LEARNED = 0.01
"""Share of the samples to judge on that are like one to learn from; chance would have to find two normal
images that are alike as well."""
OVERLAP = 0.9
"""Intersection over union of the masks of copies: less is a defect in another place."""
DIFFERENCE = 3.0
"""Mean grey levels between copies, over the image and over their masks: more than a new compression or the
noise of a copy makes, less than two defects differ by."""


def copies(learning: Sequence[Triple], judging: Sequence[Triple], name: str) -> Fault | None:
    """Whether many samples with a defect are nearly the same as another, in a set or across the two."""
    learned = [sample for sample in learning if sample.mask.any()]
    judged = [sample for sample in judging if sample.mask.any()]
    groups = _groups(learned + judged)
    sizes = Counter(groups)
    alike = sum(size for size in sizes.values() if size > 1)
    known = set(groups[: len(learned)])
    leaked = sum(group in known for group in groups[len(learned) :])
    if alike <= MOST_COPIES * len(groups) and leaked <= MOST_LEARNED * len(judged):
        return None
    across = (
        f", and {leaked} of the {len(judged)} to judge on are among those to learn from" if leaked else ""
    )
    return Fault(
        subject=name,
        fault=COPIES,
        sentence=f"{alike} of {len(groups)} samples with a defect are nearly the same as another, so that "
        f"there are only {len(sizes)} different ones{across}: a detector learns from and is judged on fewer "
        "defects than the number of samples says.",
    )


def _groups(samples: Sequence[Triple]) -> list[int]:
    """For each sample, the number of the first one that looks like it, which may be itself."""
    if not samples:
        return []
    thumbnails = np.stack([thumbnail(sample.image) for sample in samples])
    areas = np.array([np.count_nonzero(sample.mask) for sample in samples], np.float64)
    firsts: list[int] = []
    groups = []
    for number, sample in enumerate(samples):
        group = next(
            (
                first
                for first in _candidates(number, np.array(firsts, int), thumbnails, areas)
                if _alike(samples[first], sample)
            ),
            number,
        )
        if group == number:
            firsts.append(number)
        groups.append(group)
    return groups


def _candidates(
    number: int, firsts: npt.NDArray[np.int_], thumbnails: Thumbnail, areas: npt.NDArray[np.float64]
) -> list[int]:
    """Those of which a sample can be a copy.

    Exact, but for thumbnails' rounding: averages differ by no more than what is averaged, and the smaller of
    two masks is no smaller than their intersection.
    """
    ratio = areas[firsts] / areas[number]
    sized = firsts[(ratio >= OVERLAP) & (ratio <= 1 / OVERLAP)]
    near = np.abs(thumbnails[sized] - thumbnails[number]).mean(1) <= DIFFERENCE
    return [int(first) for first in sized[near]]


def _alike(first: Triple, second: Triple) -> bool:
    union = first.mask | second.mask
    overlap = np.count_nonzero(first.mask & second.mask) / np.count_nonzero(union)
    return bool(
        overlap >= OVERLAP
        and mean_difference(first.image, second.image) <= DIFFERENCE
        and mean_difference(first.image[union], second.image[union]) <= DIFFERENCE
    )
