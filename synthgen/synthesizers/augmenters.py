"""The ten texture augmenters of DRAEM (Zavrtanik et al., ICCV 2021; ranges of its published code).

What the augmenter ``rotate`` brings in from beyond the border is mirrored, not black.
"""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from synthgen.scene import Pixels
from synthgen.streams import Stream
from synthgen.synthesizers.colour import LEVELS, to_levels, turned_hues


class Augmentation(BaseModel):
    """One augmenter with its drawn numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    values: list[float]

    def apply(self, texture: Pixels) -> Pixels:
        """Augment (H, W, C) uint8."""
        return _APPLY[self.name](texture, self.values).reshape(texture.shape)


def draw_augmentations(stream: Stream, count: int, channels: int) -> list[Augmentation]:
    """``count`` different augmenters in random order, with their numbers."""
    names = list(_APPLY)
    chosen = [names[position] for position in stream.distinct(len(names), count)]
    return [Augmentation(name=name, values=_draw_values(stream, name, channels)) for name in chosen]


def _draw_values(stream: Stream, name: str, channels: int) -> list[float]:
    match name:
        case "gamma":
            return [stream.uniform((0.5, 2.0)) for _ in range(channels)]
        case "brightness":
            return [stream.uniform((0.8, 1.2)), float(stream.integer(-30, 30))]
        case "sharpness":
            return [stream.uniform((0.1, 1.9))]
        case "hue_saturation":
            return [float(stream.integer(-50, 50)), float(stream.integer(-50, 50))]
        case "solarize":
            return [float(stream.integer(32, 128)) if stream.boolean(0.5) else 256.0]
        case "posterize":
            return [float(stream.integer(1, 8))]
        case "autocontrast":
            return [float(stream.integer(0, 20))]
        case "rotate":
            return [stream.uniform((-45.0, 45.0))]
        case _:
            return []


def _table(texture: Pixels, *tables: Pixels) -> Pixels:
    """Look every channel up in its table, or all in the same."""
    table = tables[0] if len(tables) == 1 else np.stack(tables, axis=1)[None]
    return cv2.LUT(texture, table)


def _gamma(texture: Pixels, values: list[float]) -> Pixels:
    return _table(texture, *(to_levels(255 * (LEVELS / 255) ** gamma) for gamma in values))


def _brightness(texture: Pixels, values: list[float]) -> Pixels:
    factor, offset = values
    return _table(texture, to_levels(LEVELS * factor + offset))


def _sharpness(texture: Pixels, values: list[float]) -> Pixels:
    smooth = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
    identity = np.zeros((3, 3), np.float32)
    identity[1, 1] = 1
    # Extrapolation from the smoothed image, as Pillow's ImageEnhance does.
    kernel = smooth + (identity - smooth) * np.float32(values[0])
    return cv2.filter2D(texture, -1, kernel, borderType=cv2.BORDER_REFLECT_101)


def _hue_saturation(texture: Pixels, values: list[float]) -> Pixels:
    if texture.shape[2] == 1:
        return texture
    hue, saturation = values
    hsv = cv2.cvtColor(texture, cv2.COLOR_RGB2HSV_FULL)
    hsv = _table(hsv, turned_hues(hue), to_levels(LEVELS + saturation), to_levels(LEVELS))
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)


def _solarize(texture: Pixels, values: list[float]) -> Pixels:
    return _table(texture, to_levels(np.where(values[0] <= LEVELS, 255 - LEVELS, LEVELS)))


def _posterize(texture: Pixels, values: list[float]) -> Pixels:
    step = 2 ** (8 - int(values[0]))
    return _table(texture, to_levels(LEVELS // step * step))


def _invert(texture: Pixels, values: list[float]) -> Pixels:
    return cv2.bitwise_not(texture)


def _autocontrast(texture: Pixels, values: list[float]) -> Pixels:
    """Cut the given percentage off both ends of each channel's histogram and stretch the rest."""
    tables = []
    for counts in _histograms(texture):
        cut = counts.sum() * values[0] / 100
        total = np.cumsum(counts)
        low = int(np.searchsorted(total, cut, side="right"))
        high = int(np.searchsorted(total, total[-1] - cut, side="left"))
        tables.append(to_levels((LEVELS - low) * 255 / (high - low) if high > low else LEVELS))
    return _table(texture, *tables)


def _equalize(texture: Pixels, values: list[float]) -> Pixels:
    tables = []
    for counts in _histograms(texture):
        total = np.cumsum(counts)
        first = total[np.flatnonzero(counts)[0]]
        rest = total[-1] - first
        tables.append(to_levels((total - first) * 255 / rest if rest else LEVELS))
    return _table(texture, *tables)


def _histograms(texture: Pixels) -> list[npt.NDArray[np.float64]]:
    return [
        cv2.calcHist([texture], [channel], None, [256], [0, 256]).ravel().astype(np.float64)
        for channel in range(texture.shape[2])
    ]


def _rotate(texture: Pixels, values: list[float]) -> Pixels:
    height, width = texture.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), values[0], 1.0)
    return cv2.warpAffine(texture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)


_APPLY: dict[str, Callable[[Pixels, list[float]], Pixels]] = {
    "gamma": _gamma,
    "brightness": _brightness,
    "sharpness": _sharpness,
    "hue_saturation": _hue_saturation,
    "solarize": _solarize,
    "posterize": _posterize,
    "invert": _invert,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "rotate": _rotate,
}
