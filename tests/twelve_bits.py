"""Pictures of a camera of 12 bits, each beside the picture of 8 bits that it must be read as."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from synthgen.images.pixels import Pixels

SIDE = 64
BRIGHTEST = 4080
"""255 times 16: the range 0 … 4080 brings back every value of 8 bits exactly."""


def picture(seed: int) -> Pixels:
    """(64, 64) uint8: a bright disc before a dark ground, with small places that are 0 and 255."""
    stream = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    product = 150 + 30 * np.sin(x / 3 + seed) + stream.normal(0, 8, (SIDE, SIDE))
    pixels = np.where(x**2 + y**2 < 400, product, 20 + stream.normal(0, 3, (SIDE, SIDE)))
    pixels[30:34, 30:34] = 255
    pixels[30:34, 36:40] = 0
    return np.asarray(pixels.clip(0, 255), np.uint8)


def deep(pixels: Pixels) -> npt.NDArray[np.uint16]:
    """The same picture in 12 bits."""
    return pixels.astype(np.uint16) * 16


def save(path: Path, pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> None:
    """Write a picture to where it is to lie."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def save_both(folder: Path, name: str, pixels: Pixels) -> None:
    """``eight/NAME.png`` and ``twelve/NAME.tif`` below a folder."""
    save(folder / "eight" / f"{name}.png", pixels)
    save(folder / "twelve" / f"{name}.tif", deep(pixels))
