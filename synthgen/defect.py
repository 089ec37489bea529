"""A defect, the one compositor that writes it into an image, and the judge of label truth."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.scene import Pixels, Scene

MIN_MASK_PIXELS = 8
"""A smaller mask is a speck that survived clipping, not a defect that anyone could be asked to find."""


@dataclass(frozen=True, slots=True)
class Defect:
    """What a synthesizer makes: pixels and their weights inside a box that lies within the image.

    ``pixels`` is (h, w, C) uint8 and ``alpha`` (h, w) uint8: the weight of the anomaly in 255ths,
    opacity included; the mask is ``alpha > 0``.
    """

    left: int
    top: int
    pixels: Pixels
    alpha: Pixels


@dataclass(frozen=True, slots=True)
class Composite:
    """An image with the defect written in. ``box`` is the mask's bounding box (left, top, right, bottom)."""

    image: Pixels
    mask: Pixels
    box: tuple[int, int, int, int]
    drawn_pixels: int
    """Mask pixels before clipping to the foreground."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge measured. ``reason`` is empty when the label would be true."""

    reason: str
    area_pixels: int
    contrast: float
    contrast_mean: float
    contrast_lab: float
    foreground_overlap: float


def blend(anomaly: Pixels, normal: Pixels, alpha: Pixels) -> Pixels:
    """(alpha * anomaly + (255 - alpha) * normal) / 255, rounded, in exact integer arithmetic."""
    weight = alpha[..., None].astype(np.uint16)
    total = anomaly * weight + normal * (255 - weight) + 128
    return ((total + (total >> 8)) >> 8).astype(np.uint8)


def composite(scene: Scene, defect: Defect) -> Composite:
    """Write a defect into its scene, clipped to the foreground: ``out = where(mask, blend, normal)``."""
    height, width = defect.alpha.shape
    rows = slice(defect.top, defect.top + height)
    columns = slice(defect.left, defect.left + width)
    alpha = cv2.bitwise_and(defect.alpha, scene.foreground[rows, columns])
    drawn = cv2.countNonZero(defect.alpha)

    left, top, width, height = cv2.boundingRect(alpha)
    inner = (slice(top, top + height), slice(left, left + width))
    alpha = alpha[inner]
    left, top = left + defect.left, top + defect.top
    region = (slice(top, top + height), slice(left, left + width))

    image = scene.image.copy()
    mask = np.zeros(image.shape[:2], np.uint8)
    if alpha.size:
        # At alpha 0 the blend is the normal pixel itself, so no separate `where` is needed.
        image[region] = blend(defect.pixels[inner], scene.image[region], alpha)
        mask[region] = np.where(alpha, np.uint8(255), np.uint8(0))
    return Composite(image, mask, (left, top, left + width, top + height), drawn)


def judge(scene: Scene, result: Composite, min_contrast: float) -> Verdict:
    """Measure a composite and say whether labelling it anomalous would be true.

    ``min_contrast`` is the least mean, over the mask, of the largest channel change, in grey levels;
    0 switches the visibility check off.
    """
    left, top, right, bottom = result.box
    region = (slice(top, bottom), slice(left, right))
    inside = result.mask[region] > 0
    area = int(np.count_nonzero(inside))
    if area < MIN_MASK_PIXELS:
        return Verdict("empty mask", area, 0.0, 0.0, 0.0, 0.0)
    before, after = scene.image[region][inside], result.image[region][inside]
    change = cv2.absdiff(before, after)
    largest = change.max(axis=1)
    contrast = float(largest.mean(dtype=np.float64))
    reason = "" if contrast >= min_contrast else "no visible change"
    return Verdict(
        reason=reason,
        area_pixels=area,
        contrast=round(contrast, 4),
        contrast_mean=round(float(change.mean(dtype=np.float64)), 4),
        contrast_lab=round(lab_difference(before, after), 3),
        foreground_overlap=round(area / result.drawn_pixels, 6),
    )


def lab_difference(before: Pixels, after: Pixels) -> float:
    """Mean CIE 1976 colour difference of two lists of pixels, each (N, C) uint8 with C = 1 or 3."""
    first, second = _lab(before), _lab(after)
    return float(np.sqrt(np.square(first - second).sum(axis=1)).mean(dtype=np.float64))


def _lab(pixels: Pixels) -> npt.NDArray[np.float32]:
    colour = np.repeat(pixels, 3, axis=1) if pixels.shape[1] == 1 else pixels
    unit = colour.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(cv2.cvtColor(unit[:, None, :], cv2.COLOR_RGB2Lab)[:, 0], np.float32)
