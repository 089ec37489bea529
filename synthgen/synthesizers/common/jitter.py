"""Colour jitter of a patch: brightness, contrast, saturation and hue."""

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.config.model import FrozenModel
from synthgen.images.pixels import Pixels
from synthgen.streams import Stream

LEVELS = np.arange(256, dtype=np.float64)


class Jitter(FrozenModel):
    """Factors for brightness, contrast and saturation, and a turn of the hue (1 = the whole circle)."""

    brightness: float
    contrast: float
    saturation: float
    hue: float

    @classmethod
    def draw(cls, stream: Stream, amount: float) -> "Jitter":
        """Factors within 1 ± amount and a hue turn within ± amount."""
        factor = (1 - amount, 1 + amount)
        return cls(
            brightness=stream.uniform(factor),
            contrast=stream.uniform(factor),
            saturation=stream.uniform(factor),
            hue=stream.uniform((-amount, amount)),
        )

    def apply(self, pixels: Pixels) -> Pixels:
        """Jitter (h, w, C) uint8, in the order of the fields; grey pixels have no saturation and hue."""
        if self == _NONE:
            return pixels
        levels = LEVELS * self.brightness
        mean = float(np.mean(cv2.mean(pixels)[: pixels.shape[2]])) * self.brightness
        jittered = cv2.LUT(pixels, to_levels((levels - mean) * self.contrast + mean))
        if pixels.shape[2] == 1:
            return jittered.reshape(pixels.shape)
        hsv = cv2.cvtColor(jittered, cv2.COLOR_RGB2HSV_FULL)
        table = np.empty((1, 256, 3), np.uint8)
        table[0, :, 0] = turned_hues(self.hue * 256)
        table[0, :, 1] = to_levels(LEVELS * self.saturation)
        table[0, :, 2] = LEVELS
        return cv2.cvtColor(cv2.LUT(hsv, table), cv2.COLOR_HSV2RGB_FULL)


_NONE = Jitter(brightness=1, contrast=1, saturation=1, hue=0)


def turned_hues(steps: float) -> Pixels:
    """What shows each of the 256 hues turned by that many of them.

    OpenCV's full-range HSV divides the circle by 256 where it reads colours, and by 255 where it writes them.
    """
    return to_levels((LEVELS + steps) % 256 * (255 / 256))


def to_levels(values: npt.NDArray[np.float64]) -> Pixels:
    """Round to grey levels 0 … 255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
