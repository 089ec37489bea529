"""What the methods share that show something else through a Perlin mask."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.config.ranges import PositiveShareRange
from synthgen.defect import Defect, whole_pixels
from synthgen.images.pixels import Pixels
from synthgen.regions.perlin_mask import AnyPerlinShape, LatticeShape, PerlinMask, perlin_masks
from synthgen.scene import Scene
from synthgen.synthesizers.base import Params, Synthesizer


class PerlinParams(Params):
    """The mask's numbers; each method adds what shows through it."""

    mask: PerlinMask


P = TypeVar("P", bound=PerlinParams)


class PerlinSynthesizer(Synthesizer[P]):
    """Show an anomaly through a thresholded Perlin field."""

    delta: PositiveShareRange = (0.2, 1.0)
    """Opacity of the anomaly, [low, high]: its weight in the blend, above 0 to 1, drawn uniformly."""
    mask: AnyPerlinShape = LatticeShape()
    """Shape of the mask: a thresholded Perlin field."""

    @classmethod
    @abstractmethod
    def anomaly(cls, scene: Scene, params: P, positions: npt.NDArray[np.intp]) -> Pixels:
        """The pixels (N, C) uint8 that show through the mask, at positions counted row by row."""

    @classmethod
    def make(cls, scenes: Sequence[Scene], params: Sequence[P], device: str) -> Iterable[Defect]:
        """Cut the masks in one batch on the device, then make each picture."""
        height, width = scenes[0].image.shape[:2]
        masks = perlin_masks([numbers.mask for numbers in params], height, width, device)
        return map(cls._through, masks, scenes, params)

    @classmethod
    def _through(cls, mask: Pixels, scene: Scene, params: P) -> Defect:
        # Masks are sparse, so only the pixels that will show are made.
        shown = cv2.bitwise_and(mask, scene.foreground) > 0
        positions = np.flatnonzero(shown)
        if not len(positions):
            return Defect(0, 0, scene.image[:1, :1], np.zeros((1, 1), np.uint8))
        # The whole mask, as drawn: how much of it lies on the foreground is a fact.
        left, top, width, height = cv2.boundingRect(mask)
        box = (slice(top, top + height), slice(left, left + width))
        pixels = np.zeros((height, width, scene.image.shape[2]), np.uint8)
        whole_pixels(pixels)[np.flatnonzero(shown[box])] = whole_pixels(cls.anomaly(scene, params, positions))
        alpha = (mask[box] > 0).view(np.uint8) * np.uint8(max(1, round(255 * params.delta)))
        return Defect(left, top, pixels, alpha)
