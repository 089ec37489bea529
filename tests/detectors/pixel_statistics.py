"""A whole detector without a backbone, as another package would offer it."""

import torch
from torch import Tensor

from synthgen.detectors.base import Detector, DetectorSettings, Fitting, State
from synthgen.detectors.common.anomaly_maps import MapEnlarger


class PixelStatistics(Detector):
    """How many standard deviations each pixel is from the mean at its place, blurred."""

    method = "pixel_statistics"
    settings_type = DetectorSettings

    def _fit(self, fitting: Fitting) -> State:
        pixels = torch.cat(list(fitting.normals.batches(8)))
        fitting.progress(len(pixels), len(pixels))
        return {"mean": pixels.mean(0), "deviation": pixels.std(0, correction=0)}

    def _prepare(self, state: State) -> None:
        self._mean, self._deviation = state["mean"], state["deviation"] + 0.02

    def _score(self, images: Tensor) -> tuple[Tensor, Tensor]:
        distances = ((images - self._mean) / self._deviation).abs().amax(1)
        size = self.settings.image_size
        maps = MapEnlarger(size, size, self.settings.smoothing, self.device)(distances)
        return maps.amax((1, 2)), maps
