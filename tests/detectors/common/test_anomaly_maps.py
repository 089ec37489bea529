"""Anomaly maps against scipy."""

import numpy as np
import pytest
import torch

from synthgen.detectors.common.anomaly_maps import MapEnlarger
from tests.detectors.oracles import enlarged


@pytest.mark.parametrize(("side", "size", "smoothing"), [(8, 64, 4.0), (7, 50, 1.5), (4, 32, 20.0)])
def test_maps_are_enlarged_and_smoothed_as_by_scipy(side: int, size: int, smoothing: float) -> None:
    values = torch.rand(2, side, side, generator=torch.Generator().manual_seed(1))
    large = MapEnlarger(side, size, smoothing, torch.device("cpu"))(values)
    for found, given in zip(large, values, strict=True):
        assert np.abs(found.numpy() - enlarged(given.double().numpy(), size, smoothing)).max() < 1e-6
