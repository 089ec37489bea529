"""Anomaly maps of a network without padding, whose cells do not reach the image's border."""

import torch
from torch import Tensor

from synthgen.detectors.common.anomaly_maps import gaussian_matrix


class CellEnlarger:
    """Linear interpolation between the centres of cells, and Gaussian smoothing unless its deviation is 0.

    Cell n of a row has its centre at the pixel ``first + n * stride``. Beyond the outermost centres the map
    goes on as it is there. The published border of zeros is no neutral one: 0 is a high quantile of normal
    maps, so the border of a clean image outshines its inside.
    """

    def __init__(
        self,
        cells: int,
        image_size: int,
        *,
        first: int,
        stride: int,
        smoothing: float,
        device: torch.device,
    ) -> None:
        pixels = torch.arange(image_size, dtype=torch.float64)
        places = ((pixels - first) / stride).clamp(0, cells - 1)
        distances = (places[:, None] - torch.arange(cells, dtype=torch.float64)).abs()
        matrix = (1 - distances).clamp(min=0)
        if smoothing:
            matrix = gaussian_matrix(image_size, smoothing) @ matrix
        self._matrix = matrix.float().to(device)

    def __call__(self, maps: Tensor) -> Tensor:
        """(B, cells, cells) to (B, image_size, image_size), float32."""
        return self._matrix @ maps @ self._matrix.mT
