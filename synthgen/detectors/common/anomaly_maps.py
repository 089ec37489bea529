"""Anomaly maps of patches brought to the size of the image."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

TRUNCATION = 4.0
"""Standard deviations at which the Gaussian ends."""


class MapEnlarger:
    """Bilinear upsampling and Gaussian smoothing with mirrored borders, as one matrix on either side.

    ``centres``: where the values of a row lie, pixels from the image's border, ascending; beyond the first
    and the last their values go on. None: they divide the image evenly.
    """

    def __init__(
        self,
        side: int,
        image_size: int,
        smoothing: float,
        device: torch.device,
        centres: Sequence[float] | None = None,
    ) -> None:
        larger = _bilinear(side, image_size) if centres is None else _between(centres, image_size)
        self._matrix = (gaussian_matrix(image_size, smoothing) @ larger).float().to(device)

    def __call__(self, maps: Tensor) -> Tensor:
        """(B, side, side) to (B, image_size, image_size), float32."""
        return self._matrix @ maps @ self._matrix.mT


def mean_of_highest(maps: Tensor, share: float) -> Tensor:
    """The mean (B,) of the highest values of each map (B, H, W): a share of all of them, at least one."""
    values = maps.flatten(1)
    return values.topk(max(1, round(share * values.shape[1])), dim=1).values.mean(1)


def _bilinear(side: int, image_size: int) -> Tensor:
    """(image_size, side) float64: linear interpolation between pixel centres."""
    identity = torch.eye(side, dtype=torch.float64)
    return functional.interpolate(identity[None], image_size, mode="linear")[0].mT


def _between(centres: Sequence[float], image_size: int) -> Tensor:
    """(image_size, len(centres)) float64: linear interpolation between places of one's own."""
    pixels = np.arange(image_size) + 0.5
    rows = [np.interp(pixels, centres, only) for only in np.eye(len(centres))]
    return torch.from_numpy(np.stack(rows, axis=1))


def gaussian_matrix(size: int, deviation: float) -> Tensor:
    """(size, size) float64: smoothing of a row that is mirrored at its border pixels."""
    radius = round(TRUNCATION * deviation)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    kernel /= kernel.sum()
    pixels = np.pad(np.arange(size), radius, mode="reflect")
    matrix = np.zeros((size, size))
    for pixel in range(size):
        np.add.at(matrix[pixel], pixels[pixel : pixel + len(kernel)], kernel)
    return torch.from_numpy(matrix)
