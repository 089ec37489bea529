"""Samples of a recipe in memory, as a validation looks at them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthgen.images.pixels import Pixels

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SampleSet:
    """N samples at the detectors' image size, and the good products that they were made of."""

    images: Pixels
    """(N, H, W, 3) uint8."""
    masks: npt.NDArray[np.bool_]
    """(N, H, W); all False where no defect could be made."""
    normals: Pixels
    """(N, H, W, 3) uint8: equal to the images outside the masks, if the label is true."""
    sources: tuple[str, ...]
    """sha256 of the file that each sample's normal image came from."""
    methods: tuple[str, ...]
    """The synthesizer of each."""
    strengths: Floats
    """(N,), 0 to 1: opacity delta, or s of a diffusion model; 0 where no defect could be made."""
    areas: Floats
    """(N,), shares of the image."""
    contrasts: Floats
    """(N,), grey levels: mean over the mask of the largest channel change."""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def anomalous(self) -> npt.NDArray[np.bool_]:
        """Which samples show a defect, (N,)."""
        return np.asarray(self.masks.any((1, 2)))
