"""How visible the seams of masks are, and pairs of `sdas-local` and blended `sdas` to compare them on.

A seam's gradient is the mean absolute difference, over the channels, of the two pixels of every pair of
neighbours that the mask's border parts. It is divided by that of the same pairs in the normal image, or by
that of the pairs 3 and 4 pixels before and behind them on the same line. 1 grey level is added to both, so
that flat places do not divide by nothing; a seam that nobody can see has 1.

Both depend on what lies at the border. The step of the change, image less normal image, does not.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from synthgen.defect import Composite, Defect, composite, judge
from synthgen.images.pixels import Pixels
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.record import Record
from synthgen.sample import Sample
from synthgen.scene import Scene
from synthgen.synthesizers.sdas import Sdas, SdasParams
from synthgen.synthesizers.sdas_local import SdasLocalParams

BESIDE = (3, 4)
"""Pixels from a pair at the border to those it is compared with."""
ONE_LEVEL = 1.0
OPACITIES = (0.02, 1.0)
MOST_TRIES = 4
"""Samples drawn for one that is compared."""
CHUNK = 32

Gradients: TypeAlias = npt.NDArray[np.float64]


class Seam(NamedTuple):
    """Mean gradients in grey levels."""

    across: float
    """Across the mask's border."""
    before: float
    """Of the same pairs in the normal image."""
    beside: float
    """Of the pairs beside them; not a number where there are none."""
    step: float
    """Of the change across the border; in a hard edge, what changed at it."""

    @property
    def to_normal(self) -> float:
        """How much more gradient the border has than it had."""
        return (self.across + ONE_LEVEL) / (self.before + ONE_LEVEL)

    @property
    def to_surroundings(self) -> float:
        """How much more gradient the border has than its surroundings."""
        return (self.across + ONE_LEVEL) / (self.beside + ONE_LEVEL)


class Pair(NamedTuple):
    """A sample of sdas-local, and sdas on the same image with the same mask, strength, noise and contrast."""

    local: Sample
    blended: Composite
    on_same_mask: Composite | None
    """sdas through the mask that is sdas-local's label; None where no opacity gives the contrast there."""


def seam(image: Pixels, normal: Pixels, mask: Pixels) -> Seam:
    """Measure an image (H, W, C) along the border of its mask (H, W); the image's own edge is no border."""
    across, before, beside, step = [], [], [], []
    change = image.astype(np.float64) - normal
    for axis in (0, 1):
        border = np.diff(mask > 0, axis=axis)
        gradient = _gradient(image, axis)
        across.append(gradient[border])
        before.append(_gradient(normal, axis)[border])
        beside.append(gradient[_beside(border, axis) & ~border])
        step.append(_gradient(change, axis)[border])
    return Seam(*(_mean(np.concatenate(some)) for some in (across, before, beside, step)))


def _gradient(image: Pixels | Gradients, axis: int) -> Gradients:
    return np.abs(np.diff(image.astype(np.float64), axis=axis)).mean(axis=2)


def _beside(border: npt.NDArray[np.bool_], axis: int) -> npt.NDArray[np.bool_]:
    """The pairs before and behind on the same line."""
    lines = np.moveaxis(border, axis, 0)
    found = np.zeros_like(lines)
    for distance in BESIDE:
        found[distance:] |= lines[:-distance]
        found[:-distance] |= lines[distance:]
    return np.moveaxis(found, 0, axis)


def _mean(values: Gradients) -> float:
    return float(values.mean()) if len(values) else float("nan")


def contrast(made: Composite) -> float:
    """The judge's contrast, grey levels."""
    return judge(made, min_contrast=0, min_overlap=0).contrast


def matched(scene: Scene, opaque: Defect, wanted: float) -> Composite | None:
    """A defect at the opacity that gives a contrast, to 1/255 of it; None where no opacity allowed does."""
    full = contrast(composite(scene, opaque))
    opacity = wanted / full if full else float("inf")
    if not OPACITIES[0] <= opacity <= OPACITIES[1]:
        return None
    weight = np.uint8(round(255 * opacity))
    return composite(scene, replace(opaque, alpha=np.minimum(opaque.alpha, weight)))


def pairs(pipeline: Pipeline, count: int, tally: Counter[str]) -> Iterator[Pair]:
    """The first pairs of the pipeline's samples of sdas-local; counts what is left out."""
    for first in range(0, MOST_TRIES * count, CHUNK):
        drawn = list(pipeline.samples(range(first, first + CHUNK)))
        samples = [sample for sample in drawn if sample.facts.label]
        tally["rejected by the judge"] += len(drawn) - len(samples)
        for sample, opaque in zip(samples, _opaque(samples), strict=True):
            if tally["compared"] == count:
                return
            blended = matched(sample.scene, opaque, sample.facts.contrast)
            tally["compared" if blended else "without an opacity of the same contrast"] += 1
            if blended:
                within = replace(opaque, alpha=np.minimum(opaque.alpha, _window(opaque, sample.mask)))
                yield Pair(sample, blended, matched(sample.scene, within, sample.facts.contrast))


def _window(defect: Defect, mask: Pixels) -> Pixels:
    height, width = defect.alpha.shape
    return mask[defect.top : defect.top + height, defect.left : defect.left + width]


def _opaque(samples: Sequence[Sample]) -> Iterator[Defect]:
    """What sdas makes of the numbers that sdas-local drew, at full opacity."""
    drawn = [
        SdasLocalParams.model_validate(Record.model_validate_json(sample.facts.params).drawn)
        for sample in samples
    ]
    params = [
        SdasParams(delta=1.0, window=each.window, mask=each.mask, picture=each.picture) for each in drawn
    ]
    return iter(Sdas.make([sample.scene for sample in samples], params, "cpu"))
