"""The obvious, slow versions of what detectors compute, in float64."""

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter
from torch.nn import functional

Array = npt.NDArray[np.float64]


def plain_greedy(points: Array, count: int, first: int) -> list[int]:
    """Greedy k-center by its definition: every step looks at every point; of equals the first is taken."""
    chosen = [first]
    nearest = ((points - points[first]) ** 2).sum(1)
    while len(chosen) < count:
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(1))
    return chosen


def enlarged(values: Array, size: int, smoothing: float) -> Array:
    """A map (h, w) at the size of the image, bilinear and then smoothed, mirrored at the border pixels."""
    large = functional.interpolate(torch.from_numpy(values)[None, None], (size, size), mode="bilinear")[0, 0]
    return np.asarray(gaussian_filter(large.numpy(), smoothing, mode="mirror", truncate=4.0))


def averaged_patches(stages: dict[int, Array]) -> Array:
    """3 x 3 means of an image's stages (C, h, w), zeros outside, coarser ones interpolated; (H, W, D)."""
    levels = []
    for values in stages.values():
        padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
        height, width = values.shape[1:]
        mean = sum(padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)) / 9
        levels.append(torch.from_numpy(mean))
    size = levels[0].shape[1:]
    same_size = [functional.interpolate(level[None], size, mode="bilinear")[0] for level in levels]
    return np.moveaxis(torch.cat(same_size).numpy(), 0, 2)
