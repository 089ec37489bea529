"""A defect, the one compositor that writes it into an image, and the judge of label truth."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.images.lab import lab_difference
from synthgen.images.pixels import Pixels
from synthgen.scene import Scene

MIN_MASK_PIXELS = 8
"""A smaller mask is a speck that survived clipping, not a defect that anyone could be asked to find."""

LOOKS_NORMAL = "looks like a good product"
"""Why a defect is rejected that is within the variation of good products."""

LAB_PIXELS = 1024
"""Pixels over which the colour difference is averaged: enough for a mean within a few percent."""


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


@dataclass(frozen=True)
class Composite:
    """An image with the defect written in; whole image and mask are put together when they are asked for."""

    scene: Scene
    box: tuple[int, int, int, int]
    """The mask's bounding box (left, top, right, bottom)."""
    pixels: Pixels
    """The image inside the box (h, w, C)."""
    alpha: Pixels
    """The alpha inside the box (h, w), clipped to the foreground."""
    before: Pixels
    """The normal pixels under the mask, (N, C), row by row."""
    after: Pixels
    """The pixels that replaced them, (N, C)."""
    drawn_pixels: int
    """Mask pixels before clipping to the foreground."""

    @cached_property
    def image(self) -> Pixels:
        """The anomalous image (H, W, C)."""
        image = self.scene.image.copy()
        image[self._region] = self.pixels
        return image

    @cached_property
    def mask(self) -> Pixels:
        """The mask (H, W), 0 or 255."""
        mask = np.zeros(self.scene.image.shape[:2], np.uint8)
        mask[self._region] = (self.alpha > 0).view(np.uint8) * np.uint8(255)
        return mask

    @property
    def _region(self) -> tuple[slice, slice]:
        left, top, right, bottom = self.box
        return slice(top, bottom), slice(left, right)


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
    """(alpha * anomaly + (255 - alpha) * normal) / 255, rounded, in exact integer arithmetic.

    ``anomaly`` and ``normal`` are (…, C), ``alpha`` is (…), all uint8.
    """
    weight = np.repeat(alpha, normal.shape[-1]).reshape(normal.shape).astype(np.uint16)
    total = anomaly * weight
    np.subtract(255, weight, out=weight)
    weight *= normal
    total += weight
    total += 128
    # Exact division by 255 of numbers below 2^16.
    total += total >> 8
    total >>= 8
    return total.astype(np.uint8)


def composite(scene: Scene, defect: Defect) -> Composite:
    """Write a defect into its scene, clipped to the foreground: ``out = where(mask, blend, normal)``."""
    height, width = defect.alpha.shape
    rows = slice(defect.top, defect.top + height)
    columns = slice(defect.left, defect.left + width)
    clipped = cv2.bitwise_and(defect.alpha, scene.foreground[rows, columns])
    left, top, width, height = cv2.boundingRect(clipped)
    inner = (slice(top, top + height), slice(left, left + width))
    left, top = left + defect.left, top + defect.top
    region = (slice(top, top + height), slice(left, left + width))

    alpha = np.ascontiguousarray(clipped[inner])
    inside = np.flatnonzero(alpha > 0)  # far faster on booleans
    pixels = scene.image[region].copy()
    before = _taken(pixels, inside)
    anomaly = _taken(np.ascontiguousarray(defect.pixels[inner]), inside)
    after = blend(anomaly, before, alpha.ravel().take(inside))
    if len(inside):
        whole_pixels(pixels)[inside] = whole_pixels(after)
    drawn = cv2.countNonZero(defect.alpha)
    return Composite(scene, (left, top, left + width, top + height), pixels, alpha, before, after, drawn)


def cut_down(result: Composite, kept: npt.NDArray[np.bool_]) -> Composite:
    """The same defect, but only where it is kept: elsewhere is the normal image again, and no mask.

    ``kept``: (h, w), of the box.
    """
    left, top, _, _ = result.box
    # The pixels are blended already: all of their weight is theirs.
    alpha = np.where(kept & (result.alpha > 0), np.uint8(255), np.uint8(0))
    return composite(result.scene, Defect(left, top, result.pixels, alpha))


def full_frame(scene: Scene, defect: Defect) -> Composite:
    """A picture in place of the whole scene, which is no pair to it: nothing is blended or clipped."""
    height, width, _ = defect.pixels.shape
    whole = whole_pixels(np.ascontiguousarray(defect.pixels)).view(np.uint8).reshape(height * width, -1)
    before = scene.image.reshape(whole.shape)
    return Composite(scene, (0, 0, width, height), defect.pixels, defect.alpha, before, whole, height * width)


def unjudged(result: Composite) -> Verdict:
    """What the facts say of a picture without a pair: its area, and how much of it is foreground there."""
    area = result.drawn_pixels
    return Verdict("", area, 0.0, 0.0, 0.0, round(result.scene.foreground_pixels / area, 6))


def whole_pixels(image: Pixels) -> npt.NDArray[np.void]:
    """A contiguous (…, C) image as a list of pixels of C bytes each, which moves faster than rows of C."""
    return image.reshape(-1, image.shape[-1]).view(np.dtype((np.void, image.shape[-1])))[:, 0]


def _taken(image: Pixels, positions: npt.NDArray[np.intp]) -> Pixels:
    channels = image.shape[2]
    return whole_pixels(image).take(positions).view(np.uint8).reshape(-1, channels)


def judge(result: Composite, min_contrast: float, min_overlap: float) -> Verdict:
    """Measure a composite and say whether labelling it anomalous would be true.

    ``min_contrast`` is the least mean, over the mask, of the largest channel change, in grey levels;
    0 switches the visibility check off. ``min_overlap`` is the least share of the defect as drawn that lies
    on the foreground.
    """
    before, after = result.before, result.after
    area = len(before)
    if area < MIN_MASK_PIXELS:
        return Verdict("empty mask", area, 0.0, 0.0, 0.0, 0.0)
    change = cv2.absdiff(before, after).reshape(before.shape)
    contrast = _largest(change).sum(dtype=np.int64) / area
    step = -(-area // LAB_PIXELS)
    overlap = area / result.drawn_pixels
    reason = ""
    if overlap < min_overlap:
        reason = "too little on the foreground"
    elif contrast < min_contrast:
        reason = "no visible change"
    return Verdict(
        reason=reason,
        area_pixels=area,
        contrast=round(float(contrast), 4),
        contrast_mean=round(float(change.sum(dtype=np.int64) / change.size), 4),
        contrast_lab=round(lab_difference(before[::step], after[::step]), 3),
        foreground_overlap=round(overlap, 6),
    )


def _largest(change: Pixels) -> Pixels:
    largest = change[:, 0]
    for channel in range(1, change.shape[1]):
        largest = np.maximum(largest, change[:, channel])
    return largest
