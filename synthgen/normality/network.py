"""The network that normality is seen through: the packaged backbone, in batches of one size."""

from collections.abc import Sequence
from functools import cache
from hashlib import file_digest

import numpy as np
import torch
from torch import Tensor

from synthgen.detectors.common.backbones import load_backbone, packaged_weights
from synthgen.detectors.common.efficientnet_lite import NAME
from synthgen.detectors.common.features import FeatureExtractor
from synthgen.detectors.segmenter.cells import cells_of
from synthgen.images.pixels import Pixels

BATCH = 4
"""Windows that are seen together; a smaller batch is filled up, since its size would change the last bits.
The memory of a larger one's activations comes fresh from the system each time, which takes a fifth longer."""
STAGES = (1, 2, 3)


class CellNetwork:
    """Cells, of 8 x 8 pixels, of images; the same bits whatever else is asked for at the same time.

    That holds for one number of torch's threads. Raises RunError where the package with the weights is not
    installed.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self._extract = FeatureExtractor(load_backbone(NAME, "imagenet", STAGES), self.device)

    def __call__(self, windows: Sequence[Pixels]) -> Tensor:
        """Cells (N, C, height, width) float32 of N windows (H, W, 1 or 3) uint8 of one size."""
        with torch.inference_mode():
            found = [self._batch(windows[first : first + BATCH]) for first in range(0, len(windows), BATCH)]
        return torch.cat(found)

    def _batch(self, windows: Sequence[Pixels]) -> Tensor:
        images = torch.from_numpy(np.stack(windows)).permute(0, 3, 1, 2).to(self.device).float() / 255
        filled = torch.zeros(BATCH, 3, *images.shape[2:], device=self.device)
        filled[: len(windows)] = images
        return cells_of(self._extract(filled))[: len(windows)]


@cache
def network_sha256() -> str:
    """Hash of the network's weights. Raises RunError where their package is not installed."""
    with packaged_weights().open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
