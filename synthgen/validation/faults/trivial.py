"""Defects that no detector is needed to find."""

from collections.abc import Callable, Sequence
from hashlib import sha256

import cv2
import numpy as np

from synthgen.evaluation.metrics.ranking import Ranking, auroc
from synthgen.images.pixels import Pixels
from synthgen.sources.evenly import evenly
from synthgen.validation.faults.triples import Triple, thumbnail
from synthgen.validation.report import Fault

TRIVIAL = "trivial"

SEPARATED = 0.995
"""AUROC of one number of the image: 1 of 200 pairs of images at most needs a look at what they show."""
FEWEST_NORMALS = 8
"""Different normal images: among fewer, one with a defect is the brightest or the darkest too easily."""
LOOKED_AT = 200
"""Samples and normal images: enough to tell an AUROC of 0.995 from one of 0.98."""
UNIFORM = 3.0
"""Standard deviation of the channels inside of a mask, grey levels: paint and not material, even where it was
compressed."""
SAME = 4.0
"""Mean grey levels between defects that are one picture, pasted again and again."""
MOSTLY = 0.9
"""Share of the defects that are of one colour or all the same: no texture is, however strong."""


def _largest_step(image: Pixels) -> float:
    steps = (cv2.absdiff(image[1:], image[:-1]), cv2.absdiff(image[:, 1:], image[:, :-1]))
    return float(max(step.max() for step in steps))


NUMBERS: dict[str, Callable[[Pixels], float]] = {
    "smallest grey level": lambda image: float(image.min()),
    "largest grey level": lambda image: float(image.max()),
    "mean grey level": lambda image: float(image.mean()),
    "standard deviation": lambda image: float(cv2.meanStdDev(image.reshape(-1, 1))[1].item()),
    "largest step between neighbouring pixels": _largest_step,
}
"""What can be said of an image without a look at what it shows, over all channels."""


def trivial(defects: Sequence[Triple], normals: Sequence[Pixels], name: str) -> Fault | None:
    """Whether one number of the image tells samples with a defect from normal images, and paint is the cause.

    ``normals``: of both sides; nothing is fitted, so that none of them has to be held out. A strong texture
    may be told by one number, too, but what it looks like has to be learned; paint has no look.
    """
    defects = evenly(defects, LOOKED_AT)
    different = _distinct(evenly(normals, LOOKED_AT))
    if not defects or len(different) < FEWEST_NORMALS:
        return None
    uniform, same = _share_uniform(defects), _share_same(defects)
    if max(uniform, same) < MOSTLY:
        return None
    separations = {
        number: _separation([of(sample.image) for sample in defects], [of(image) for image in different])
        for number, of in NUMBERS.items()
    }
    number, separation = max(separations.items(), key=lambda item: item[1])
    if separation < SEPARATED:
        return None
    paint = f"{uniform:.0%} of the defects are of one colour"
    stamp = f"{same:.0%} of the defects are the same picture"
    return Fault(
        subject=name,
        fault=TRIVIAL,
        sentence=f"the {number} alone tells samples with a defect from normal images (AUROC "
        f"{separation:.3f}), and {stamp if same > uniform else paint}: a detector that finds them need not "
        "have learned anything of the product.",
    )


def _distinct(images: Sequence[Pixels]) -> list[Pixels]:
    return list({sha256(image.tobytes()).digest(): image for image in images}.values())


def _separation(anomalous: Sequence[float], normal: Sequence[float]) -> float:
    """AUROC of a number, in the direction in which it is at least 0.5."""
    area = auroc(Ranking(np.sort(anomalous), np.sort(normal)))
    return max(area, 1 - area)


def _share_uniform(defects: Sequence[Triple]) -> float:
    """Share of the defects that are of one colour."""
    deviations = [cv2.meanStdDev(each.image, mask=each.mask.view(np.uint8))[1].max() for each in defects]
    return float(np.mean(np.array(deviations) <= UNIFORM))


def _share_same(defects: Sequence[Triple]) -> float:
    """Share of the defects that are like the one in the middle of all."""
    stamps = np.stack([thumbnail(_box(each)) for each in defects])
    return float(np.mean(np.abs(stamps - np.median(stamps, 0)).mean(1) <= SAME))


def _box(sample: Triple) -> Pixels:
    """The part of the image around the defect."""
    left, top, width, height = cv2.boundingRect(sample.mask.view(np.uint8))
    return sample.image[top : top + height, left : left + width]
