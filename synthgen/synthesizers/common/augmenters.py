"""The ten texture augmenters of DRAEM (Zavrtanik et al., ICCV 2021; ranges of its published code).

What the augmenter ``rotate`` brings in from beyond the border is mirrored, not black. Augmenters that only
map grey levels to grey levels are joined into one table a channel, applied in the end where it is needed.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.config.model import FrozenModel
from synthgen.images.pixels import Pixels
from synthgen.streams import Stream
from synthgen.synthesizers.common.jitter import LEVELS, to_levels, turned_hues

IDENTITY = np.arange(256, dtype=np.uint8)


class Augmentation(FrozenModel):
    """One augmenter with its drawn numbers."""

    name: str
    values: list[float]


class Toned:
    """A picture (H, W, C) uint8, and what is still to be done to each of its pixels by itself.

    That is a turn of the hues, perhaps several, each of levels sent through tables; and tables in the end.
    """

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels
        self._turns: list[tuple[list[Pixels], list[float]]] = []
        self._tables = [IDENTITY] * pixels.shape[2]

    def at(self, positions: npt.NDArray[np.intp]) -> Pixels:
        """The finished pixels (N, C) at some positions, counted row by row."""
        channels = self._pixels.shape[2]
        return self._finished(self._pixels.reshape(-1, 1, channels).take(positions, axis=0))[:, 0]

    def augment(self, augmentation: Augmentation) -> None:
        """Apply one augmenter."""
        name, values = augmentation.name, augmentation.values
        if name in _TABLES:
            self.map([_TABLES[name](value) for value in _per_channel(values, name)])
        elif name in _FROM_HISTOGRAM:
            self.map([_FROM_HISTOGRAM[name](counts, values) for counts in self.histograms()])
        elif name == "hue_saturation":
            self._turns.append((self._tables, values))
            self._tables = [IDENTITY] * len(self._tables)
        else:
            self._finish()
            self._pixels = _WHOLE[name](self._pixels, values).reshape(self._pixels.shape)

    def map(self, tables: list[Pixels]) -> None:
        """Send the levels of each channel through a table, or of all through one."""
        each = tables if len(tables) == len(self._tables) else tables * len(self._tables)
        self._tables = [new[old] for new, old in zip(each, self._tables, strict=True)]

    def histograms(self) -> list[npt.NDArray[np.float64]]:
        """How often each level occurs in each channel."""
        if self._turns:
            self._finish()
        histograms = []
        for channel, table in enumerate(self._tables):
            counts = cv2.calcHist([self._pixels], [channel], None, [256], [0, 256]).ravel()
            histograms.append(np.bincount(table, weights=counts, minlength=256).astype(np.float64))
        return histograms

    def _finish(self) -> None:
        """Do to all pixels what is still to be done."""
        self._pixels = self._finished(self._pixels)
        self._turns, self._tables = [], [IDENTITY] * len(self._tables)

    def _finished(self, pixels: Pixels) -> Pixels:
        for tables, values in self._turns:
            pixels = _hue_saturation(apply_tables(pixels, tables), values)
        return apply_tables(pixels, self._tables)


def apply_tables(pixels: Pixels, tables: Sequence[Pixels]) -> Pixels:
    """Look every channel of (…, C) uint8 up in its table of 256 levels."""
    if all(table is IDENTITY for table in tables):
        return pixels
    table = tables[0] if len(tables) == 1 else np.stack(tables, axis=1)[None]
    rows = pixels.reshape(-1, 1, pixels.shape[-1])
    return np.asarray(cv2.LUT(rows, table)).reshape(pixels.shape)


def draw_augmentations(stream: Stream, count: int, channels: int) -> list[Augmentation]:
    """``count`` different augmenters in random order, with their numbers."""
    chosen = [NAMES[position] for position in stream.distinct(len(NAMES), count)]
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


def _per_channel(values: list[float], name: str) -> list[list[float]]:
    """The numbers of each channel, or those of all: gamma alone has one for each."""
    return [[value] for value in values] if name == "gamma" else [values]


def _gamma(values: list[float]) -> Pixels:
    return to_levels(255 * (LEVELS / 255) ** values[0])


def _brightness(values: list[float]) -> Pixels:
    factor, offset = values
    return to_levels(LEVELS * factor + offset)


def _solarize(values: list[float]) -> Pixels:
    return to_levels(np.where(values[0] <= LEVELS, 255 - LEVELS, LEVELS))


def _posterize(values: list[float]) -> Pixels:
    step = 2 ** (8 - int(values[0]))
    return to_levels(LEVELS // step * step)


def _invert(values: list[float]) -> Pixels:
    return to_levels(255 - LEVELS)


def _autocontrast(counts: npt.NDArray[np.float64], values: list[float]) -> Pixels:
    """Cut the given percentage off both ends of the histogram and stretch the rest."""
    cut = counts.sum() * values[0] / 100
    total = np.cumsum(counts)
    low = int(np.searchsorted(total, cut, side="right"))
    high = int(np.searchsorted(total, total[-1] - cut, side="left"))
    return to_levels((LEVELS - low) * 255 / (high - low) if high > low else LEVELS)


def _equalize(counts: npt.NDArray[np.float64], values: list[float]) -> Pixels:
    total = np.cumsum(counts)
    first = total[np.flatnonzero(counts)[0]]
    rest = total[-1] - first
    return to_levels((total - first) * 255 / rest if rest else LEVELS)


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
    hsv = apply_tables(hsv, [turned_hues(hue), to_levels(LEVELS + saturation), to_levels(LEVELS)])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)


def _rotate(texture: Pixels, values: list[float]) -> Pixels:
    height, width = texture.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), values[0], 1.0)
    return cv2.warpAffine(texture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)


_TABLES: dict[str, Callable[[list[float]], Pixels]] = {
    "gamma": _gamma,
    "brightness": _brightness,
    "solarize": _solarize,
    "posterize": _posterize,
    "invert": _invert,
}
_FROM_HISTOGRAM: dict[str, Callable[[npt.NDArray[np.float64], list[float]], Pixels]] = {
    "autocontrast": _autocontrast,
    "equalize": _equalize,
}
_WHOLE: dict[str, Callable[[Pixels, list[float]], Pixels]] = {
    "sharpness": _sharpness,
    "rotate": _rotate,
}
NAMES = (*_TABLES, *_FROM_HISTOGRAM, "sharpness", "hue_saturation", "rotate")
