"""Pictures in which the background is even: without the light on it, or by its share of each colour."""

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.images.pixels import Pixels

_FIT_SIDE = 48
"""Light falls off slowly, so its surface is fitted on a small copy of the image."""
_FIT_ROUNDS = 6
_FLAT_LEVEL = 128
_BORDER_SHARE = 1 / 64


def border(shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """True on the frame of an (H, W) image, 1/64 of its shorter side wide and at least 2 pixels."""
    width = max(2, round(min(shape) * _BORDER_SHARE))
    frame = np.ones(shape, bool)
    frame[width:-width, width:-width] = False
    return frame


def flattened(grey: Pixels) -> Pixels:
    """Half the difference of grey (H, W) uint8 from the light on the background, around level 128.

    A quadratic surface is fitted to the border and then, robustly, to every pixel that agrees with it.
    """
    height, width = grey.shape
    shrink = min(1.0, _FIT_SIDE / min(height, width))
    size = (max(4, round(width * shrink)), max(4, round(height * shrink)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float64)
    rows, columns = np.meshgrid(np.linspace(-1, 1, size[1]), np.linspace(-1, 1, size[0]), indexing="ij")
    terms = np.stack([np.ones_like(rows), rows, columns, rows * rows, rows * columns, columns * columns], -1)

    edge = border(small.shape)
    departure = np.abs(small - np.median(small[edge]))
    agreeing = edge & (departure <= 3 * np.median(departure[edge]) + 2)
    surface = small
    for _ in range(_FIT_ROUNDS):
        surface = _fitted(terms, small, agreeing)
        departure = np.abs(small - surface)
        spread = 1.4826 * float(np.median(departure[agreeing]))
        agreeing = departure <= 2.5 * max(spread, 1.0)
    light = cv2.resize(surface.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(np.rint((grey - light) / 2) + _FLAT_LEVEL, 0, 255).astype(np.uint8)


def _fitted(
    terms: npt.NDArray[np.float64], values: npt.NDArray[np.float64], chosen: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """The least-squares surface (h, w) of terms (h, w, n) through the chosen values (h, w).

    By einsum and not by matrix products, whose last bits depend on the number of threads.
    """
    some = terms[chosen]
    gram = np.einsum("ki,kj->ij", some, some)
    coefficients = np.linalg.solve(gram, np.einsum("ki,k->i", some, values[chosen]))
    return np.asarray(np.einsum("hwi,i->hw", terms, coefficients))


def border_likeness(image: Pixels) -> Pixels:
    """How much each pixel's colour belongs to the border: (H, W) uint8 of an (H, W, C) uint8 image.

    A colour whose share on the border is r times its share in the image gives 255 r / (1 + r): 0 where the
    border does not have it, 127 where it is as common there as elsewhere.
    """
    shape = image.shape[:2]
    if image.shape[2] == 1:
        codes, bins = image[..., 0].astype(np.int32) >> 2, (64, 1, 1)
    else:
        lightness, red, yellow = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2Lab).astype(np.int32))
        codes, bins = ((red >> 2) * 64 + (yellow >> 2)) * 16 + (lightness >> 4), (64, 64, 16)
    everywhere = _smooth_histogram(codes.ravel(), bins) + 1e-3
    on_border = _smooth_histogram(codes[border(shape)], bins)
    ratio = (on_border / on_border.sum()) / (everywhere / everywhere.sum())
    return np.asarray(np.rint(255 * ratio / (1 + ratio)).astype(np.uint8).ravel()[codes])


def _smooth_histogram(codes: npt.NDArray[np.int32], bins: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    counts = np.bincount(codes, minlength=int(np.prod(bins))).astype(np.float32).reshape(bins)
    kernel = (3, 3) if bins[1] > 1 else (1, 3)
    counts = cv2.GaussianBlur(counts, kernel, 0, borderType=cv2.BORDER_CONSTANT).reshape(bins)
    if bins[2] > 1:
        flat = counts.reshape(-1, bins[2])
        counts = cv2.GaussianBlur(flat, (3, 1), 0, borderType=cv2.BORDER_CONSTANT).reshape(bins)
    return np.asarray(counts)
