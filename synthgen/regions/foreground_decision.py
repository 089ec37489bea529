"""Decides, from a few normal images of an unknown product, what is foreground.

Every candidate segmentation is tried on every image and judged by what sets a product apart from a pattern:
an even background around it, a sharp and short outline, and little of it on the image's border.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from synthgen.images.pixels import Pixels
from synthgen.regions.background import border
from synthgen.regions.foreground_rule import Channel, ForegroundRule, Segmentation, channel_of, segment
from synthgen.runtime.progress import Progress

DECISION_IMAGES = 16
"""How many images of a category the decision looks at."""
_WORKING_SIDE = 256
_WORKING_PIXELS = 4 * _WORKING_SIDE**2
"""Only of a strip longer than four times its width is the shorter side smaller than the working side."""
_AGREEING_IMAGES = 0.8
"""Share of the images on which a candidate must hold."""
_SIMPLE_ENOUGH = 0.5
"""A simpler candidate wins over the best one while its score is at least this share of the best."""
_EVEN_ENOUGH = 15
"""Separation from which the background is recognised inside the product's outline too."""
_CAREFUL = ({"fill": 1.0, "close": 6.0}, *({"fill": 0.005, "close": close} for close in (6.0, 3.0, 0.0)))
"""Clean-ups that keep less and less of the background that shows through the product."""
_THIN = (6.0, 3.0, 2.0)
"""Openings that remove less and less of a thin product."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What one segmentation of one image shows; levels are those of the candidate's channel."""

    area: float
    """Share of the image that is foreground."""
    border_area: float
    """Share of the border that is foreground."""
    outline: float
    """Length of the outline inside the frame, in sides of the image."""
    level: float
    """Median level of the background."""
    spread: float
    """Standard deviation of the background's level."""
    separation: float
    """Difference of the medians of product and background, in spreads of the background."""
    sharpness: float
    """Gradient along nearly all of the outline (10th percentile), relative to that within the background."""
    roughness: float
    """Gradient within the product, relative to that within the background."""

    @property
    def holds(self) -> bool:
        """Whether this looks like a product before a background."""
        clear = 2 if self.area < 0.08 else 1  # spots on a texture look like small products
        if not 0.003 <= self.area <= 0.95 or self.sharpness < 3 * clear:
            return False
        return self._stands_inside or self._leaves_the_frame

    @property
    def _stands_inside(self) -> bool:
        return self.border_area <= 0.35 * self.area

    @property
    def _leaves_the_frame(self) -> bool:
        # Product and background could be swapped here, so the border or the evenness must tell them apart.
        background = 1 - self.border_area
        around = self.border_area * (1 - self.area) <= 0.5 * background * self.area
        are_apart = around or background >= 0.6 or (background >= 0.25 and self.roughness >= 1.5)
        whole = self.outline <= 3 and self.border_area <= 1.5 * self.area
        return are_apart and whole and self.separation >= 5

    @property
    def score(self) -> float:
        return float(np.sqrt(min(self.separation, 20) * min(self.sharpness, 20)))


@dataclass(frozen=True, slots=True)
class _Trial:
    """A candidate with its evidence from all images."""

    segmentation: Segmentation
    evidence: list[_Evidence]

    @property
    def agreeing(self) -> float:
        return sum(each.holds for each in self.evidence) / len(self.evidence)

    @property
    def score(self) -> float:
        return self.median("score")

    def median(self, name: str) -> float:
        return float(np.median([getattr(each, name) for each in self.evidence]))


def decide(images: Sequence[Pixels], progress: Progress | None = None) -> ForegroundRule:
    """Choose a rule for one category from up to 16 of its own prepared images, each (H, W, C) uint8.

    Where no segmentation holds on nearly all of them the answer is ``texture``: everything is foreground.
    ``progress`` is called with (rules tried, rules in all).
    """
    working = [_working_copy(image) for image in images[:DECISION_IMAGES]]
    candidates = _candidates(working)
    trials = []
    for number, candidate in enumerate(candidates, 1):
        trials.append(_try(candidate, working))
        if progress:
            progress(number, len(candidates))
    holding = [trial for trial in trials if trial.agreeing >= _AGREEING_IMAGES]
    if not holding:
        return ForegroundRule(product_type="texture", reason=_why_texture(trials))
    best = max(trial.score for trial in holding)
    chosen = next(trial for trial in holding if trial.score >= _SIMPLE_ENOUGH * best)
    how = _cleaned_up(chosen, working)
    return ForegroundRule(product_type="object", reason=_why_object(how, chosen), segmentation=how)


def _working_copy(image: Pixels) -> Pixels:
    height, width, channels = image.shape
    shrink = min(_WORKING_SIDE / min(height, width), math.sqrt(_WORKING_PIXELS / (height * width)))
    if shrink >= 1:
        return image
    size = (round(width * shrink), round(height * shrink))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA)).reshape(
        size[1], size[0], channels
    )


def _candidates(images: Sequence[Pixels]) -> list[Segmentation]:
    """From the simplest to the most involved."""
    coloured = any(image.shape[2] == 3 for image in images)
    colours: list[Channel] = ["red", "green", "blue", "saturation"] if coloured else []
    light: list[Channel] = ["grey", "flattened"]
    sides: list[Literal["bright", "dark"]] = ["dark", "bright"]
    return [
        *(_candidate(channel, "otsu", side) for channel in ("grey", *colours, "flattened") for side in sides),
        *(_candidate(channel, "triangle", side) for channel in light for side in sides),
        _candidate("border-likeness", "otsu", "dark"),
    ]


def _candidate(
    channel: Channel, threshold: Literal["otsu", "triangle"], side: Literal["bright", "dark"]
) -> Segmentation:
    return Segmentation(
        channel=channel, threshold=threshold, side=side, close=6, open=6, fill=1, smallest=0.05
    )


def _try(candidate: Segmentation, images: Sequence[Pixels]) -> _Trial:
    return _Trial(candidate, [_evidence(candidate, channel_of(image, candidate.channel)) for image in images])


def _evidence(candidate: Segmentation, channel: Pixels) -> _Evidence:
    mask = segment(candidate, channel)
    product = mask > 0
    inside = cv2.erode(mask, np.ones((7, 7), np.uint8)) > 0
    outside = cv2.dilate(mask, np.ones((7, 7), np.uint8)) == 0
    area, border_area = float(product.mean()), float(product[border(mask.shape)].mean())
    if np.count_nonzero(inside) < 32 or np.count_nonzero(outside) < 32:
        return _Evidence(area, border_area, 0, 0, 0, 0, 0, 0)

    levels = channel.astype(np.float32)
    gradient = cv2.magnitude(cv2.Sobel(levels, cv2.CV_32F, 1, 0), cv2.Sobel(levels, cv2.CV_32F, 0, 1)) / 8
    steepest = cv2.dilate(gradient, np.ones((3, 3), np.uint8))
    outline = product & (cv2.erode(mask, np.ones((3, 3), np.uint8)) == 0)
    if not outline.any():
        return _Evidence(area, border_area, 0, 0, 0, 0, 0, 0)
    calm, steep = max(float(gradient[outside].mean()), 0.5), max(float(steepest[outside].mean()), 0.5)
    level, spread = float(np.median(levels[outside])), max(float(levels[outside].std()), 1.0)
    return _Evidence(
        area=area,
        border_area=border_area,
        outline=np.count_nonzero(outline) / float(np.sqrt(mask.size)),
        level=level,
        spread=spread,
        separation=abs(float(np.median(levels[inside])) - level) / spread,
        sharpness=float(np.quantile(steepest[outline], 0.1)) / steep,
        roughness=float(gradient[inside].mean()) / calm,
    )


def _cleaned_up(trial: _Trial, images: Sequence[Pixels]) -> Segmentation:
    """The chosen segmentation with clean-up that suits the product, its edge drawn in by one pixel."""
    how = trial.segmentation
    channels = [channel_of(image, how.channel) for image in images]
    if trial.median("separation") >= _EVEN_ENOUGH:
        variants = [how.model_copy(update=update) for update in _CAREFUL]
        how = next(
            (each for each in variants if _background_inside(each, channels, trial) <= 0.01), variants[-1]
        )
    unopened = how.model_copy(update={"open": 0.0})
    whole = [np.count_nonzero(segment(unopened, channel)) for channel in channels]
    for size in _THIN:
        how = how.model_copy(update={"open": size})
        left = [np.count_nonzero(segment(how, channel)) for channel in channels]
        if np.median(np.divide(left, whole)) >= 0.98:
            break
    return how.model_copy(update={"shrink": 1.0})


def _background_inside(how: Segmentation, channels: Sequence[Pixels], trial: _Trial) -> float:
    """Share of the product that looks just like the background, median over the images."""
    shares = []
    for channel, each in zip(channels, trial.evidence, strict=True):
        levels = channel[segment(how, channel) > 0]
        alike = np.abs(levels - each.level) <= 3 * each.spread
        shares.append(np.count_nonzero(alike) / max(levels.size, 1))
    return float(np.median(shares))


def _why_object(how: Segmentation, trial: _Trial) -> str:
    level, spread = trial.median("level"), trial.median("spread")
    method = {"otsu": "Otsu", "triangle": "Triangle"}[str(how.threshold)]
    if how.channel == "border-likeness":
        ground = "the border has colours of its own"
    else:
        brightness = "dark" if level < 85 else "bright" if level > 170 else "medium"
        ground = (
            f"it stands before an even {brightness} background ({how.channel} {level:.0f} ± {spread:.0f})"
        )
    holes = "" if how.fill == 1 else ", holes kept"
    return (
        f"object: {ground}; {method} on {how.channel}, {how.side} side, "
        f"close {how.close:g}, open {how.open:g}{holes}; it covers {trial.median('area'):.0%} of the image"
    )


def _why_texture(trials: Sequence[_Trial]) -> str:
    best = max(trials, key=lambda trial: trial.agreeing)
    if best.agreeing == 0:
        evidence = "no image shows a sharp product before an even background"
    else:
        evidence = f"no rule finds a sharp product in more than {best.agreeing:.0%} of the images"
    return f"texture: everything is foreground, for {evidence}"
