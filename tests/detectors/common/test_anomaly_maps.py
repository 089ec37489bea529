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


def test_values_stand_at_their_centres_and_go_on_beyond_the_outermost() -> None:
    values = torch.tensor([[[1.0, 1.0], [3.0, 5.0]]])
    # Smoothing by so little changes nothing.
    large = MapEnlarger(2, 12, 0.01, torch.device("cpu"), centres=(4.5, 8.5))(values)[0]
    assert large[:5, :].tolist() == [[1.0] * 12] * 5
    assert large[8:, 0].tolist() == [3.0] * 4
    assert large[8:, 11].tolist() == [5.0] * 4
    assert large[6, 0].item() == 2
    assert large[6, 6].item() == 2.5
