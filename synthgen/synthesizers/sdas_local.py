"""SDAS inside of a mask: the defect grows out of the product's own image, which holds everything else.

The normal image is noised part of the way, and comes back with strength s where the mask is; elsewhere every
step is held to the real image (as RePaint does for known pixels, Lugmayr et al., CVPR 2022, eq. 8).
The label is the real change: what came back as it was is not in the mask.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import field_validator

from synthgen.config.ranges import NonNegative, PositiveShare, StrengthRange
from synthgen.defect import Defect
from synthgen.diffusion.sampling import Sampling
from synthgen.images.pixels import Pixels
from synthgen.regions.perlin_mask import AnyPerlinShape, LatticeShape, PerlinMask, perlin_masks
from synthgen.scene import Scene
from synthgen.streams import Stream
from synthgen.synthesizers.common.boxes import Box
from synthgen.synthesizers.common.change import changed
from synthgen.synthesizers.common.diffusion import (
    DiffusionParams,
    DiffusionSynthesizer,
    Generation,
    by_group,
    nothing,
    seen_by,
    through,
)

Weights = npt.NDArray[np.float32]


class SdasLocalParams(DiffusionParams):
    """The mask, how far the image is noised, and the numbers of what grows in it."""

    mask: PerlinMask
    border: float
    start: float
    picture: Generation

    @property
    def strength(self) -> float:
        """``s``."""
        return self.picture.s

    def needs(self) -> set[str]:
        """The model."""
        return {self.picture.model_sha256}


class SdasLocal(DiffusionSynthesizer[SdasLocalParams]):
    """Let a part of the image itself leave the normal ones by a strength."""

    title: ClassVar[str] = "Regrow a region of the image by diffusion"
    params_type = SdasLocalParams

    method: Literal["sdas-local"] = "sdas-local"
    s: StrengthRange = (0.2, 0.6)
    start: PositiveShare = 0.6
    """How far the image is noised, as a share of the whole way to noise; less keeps more of the product."""
    mask: AnyPerlinShape = LatticeShape(scales=(0, 3), threshold=0.2)
    border: NonNegative = 6.0
    """Width of the band inside the mask's outline where the defect fades in, pixels at 256 x 256."""

    @field_validator("sampling")
    @classmethod
    def _ancestral(cls, sampling: Sampling) -> Sampling:
        if sampling.sampler != "ancestral":
            raise ValueError(
                f"sdas-local takes ancestral steps alone, and sampler is {sampling.sampler}; leave it out"
            )
        return sampling

    def draw(self, stream: Stream, scene: Scene) -> SdasLocalParams:
        """Take every random decision: opacity, place, mask, noise, strength."""
        return SdasLocalParams(
            delta=stream.uniform(self.delta),
            window=self._draw_window(stream, scene),
            mask=self.mask.draw(stream),
            border=self.border * scene.scale,
            start=self.start,
            picture=self._draw_generation(stream, scene),
        )

    @classmethod
    def make(
        cls, scenes: Sequence[Scene], params: Sequence[SdasLocalParams], device: str
    ) -> Iterable[Defect]:
        """Cut the masks, then let the model make anew what they and the foreground leave free."""
        drafts = by_group(
            list(zip(scenes, params, strict=True)),
            lambda pair: (pair[1].window.height, pair[1].window.width),
            lambda size, some: _drafts(some, size, device),
        )
        pictures = by_group(
            [draft for draft in drafts if draft.weight.any()],
            lambda draft: (draft.picture.model_sha256, draft.picture.sampling, draft.params.start),
            lambda how, some: _grown(some, *how, device),
        )
        grown = iter(pictures)
        return [
            _defect(draft, next(grown)) if draft.weight.any() else nothing(draft.scene) for draft in drafts
        ]


class _Draft(NamedTuple):
    scene: Scene
    params: SdasLocalParams
    weight: Weights
    """(h, w) of the window: how much of what grows will show."""

    @property
    def picture(self) -> Generation:
        return self.params.picture


def _drafts(
    pairs: Sequence[tuple[Scene, SdasLocalParams]], size: tuple[int, int], device: str
) -> list[_Draft]:
    masks = perlin_masks([params.mask for _, params in pairs], size[0], size[1], device)
    return [
        _Draft(scene, params, fading(free(mask, params.window, scene), params.border))
        for (scene, params), mask in zip(pairs, masks, strict=True)
    ]


def free(mask: Pixels, window: Box, scene: Scene) -> Pixels:
    """What of a window's mask (h, w) lies on the foreground, and not on an edge of the window in the image.

    Such an edge is an outline of the mask too; the defect would be cut off there, and not fade.
    """
    height, width = scene.image.shape[:2]
    kept = cv2.bitwise_and(mask, window.of(scene.foreground))
    if window.top > 0:
        kept[0] = 0
    if window.left > 0:
        kept[:, 0] = 0
    if window.top + window.height < height:
        kept[-1] = 0
    if window.left + window.width < width:
        kept[:, -1] = 0
    return kept


def fading(mask: Pixels, border: float) -> Weights:
    """Weights (h, w), from 0 at a mask's outline smoothly up to 1, over ``border`` pixels if they fit."""
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    distance = _distance_to_outside(mask)
    share = np.minimum(distance / max(1.0, min(border + 1.0, float(distance.max()))), 1.0)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def _distance_to_outside(mask: Pixels) -> Weights:
    """Pixels from each pixel to the nearest that is 0, (h, w).

    OpenCV's last bit differs from call to call with where its memory lies. The square is a whole number,
    found again below 2,048 pixels, so that the root of it is the same every time.
    """
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.sqrt(np.rint(np.square(distance, dtype=np.float64))).astype(np.float32)


def _grown(
    drafts: Sequence[_Draft], model_sha256: str, sampling: Sampling, start: float, device: str
) -> list[Pixels]:
    """The windows as the model leaves them: (h, w, C) uint8."""
    from synthgen.diffusion.model import Inside

    model = drafts[0].scene.library.model(model_sha256, device)
    size = model.side
    originals = [seen_by(draft.params.window, draft.scene, model.channels, size) for draft in drafts]
    requests = [
        Inside(
            draft.picture.noise_seed,
            draft.picture.s,
            draft.scene.category,
            original,
            cv2.resize(draft.weight, (size, size), interpolation=cv2.INTER_AREA),
        )
        for draft, original in zip(drafts, originals, strict=True)
    ]
    made = model.inside(requests, sampling, start)
    return [_taken_over(*each) for each in zip(drafts, originals, made, strict=True)]


def _taken_over(draft: _Draft, original: Pixels, made: Pixels) -> Pixels:
    """The window with the change that the model made; a resized window keeps its own finer detail."""
    window = np.ascontiguousarray(draft.params.window.of(draft.scene.image))
    if made.shape == window.shape:
        return made
    height, width, channels = window.shape
    change = made.astype(np.float32) - original
    if change.shape[2] > channels:
        change = change.mean(axis=2, keepdims=True)
    change = cv2.resize(change, (width, height), interpolation=cv2.INTER_LINEAR).reshape(window.shape)
    return np.rint(window + change).clip(0, 255).astype(np.uint8)


def _defect(draft: _Draft, grown: Pixels) -> Defect:
    window = np.ascontiguousarray(draft.params.window.of(draft.scene.image))
    label = (draft.weight > 0) & changed(window, grown)
    return through(draft.params.window, label.view(np.uint8), grown, draft.params.delta)
