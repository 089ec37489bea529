"""The arrays that images are."""

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""(H, W, C), C = 1 (grey) or 3 (RGB); masks and foregrounds are (H, W)."""
Decoded = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""(H, W, C) as a file holds it."""
Mask = npt.NDArray[np.bool_]
"""(H, W), true inside."""


def is_grey(pixels: Decoded) -> bool:
    """Whether an (H, W, C) image has one channel, or three that are equal everywhere."""
    first = pixels[..., 0]
    return all(np.array_equal(first, pixels[..., channel]) for channel in range(1, pixels.shape[2]))
