"""Each method in turn."""

import pytest

from synthgen.detectors.registry import DETECTORS
from tests.detectors.methods import METHODS
from tests.detectors.pixel_statistics import PixelStatistics
from tests.detectors.teachers import use_thin_networks


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(DETECTORS, PixelStatistics.method, PixelStatistics)
    use_thin_networks(monkeypatch)
    return str(request.param)
