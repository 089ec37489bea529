"""What methods share that look at features."""

import pytest

from synthgen.detectors.common.feature_detector import FeatureDetector
from synthgen.detectors.registry import DETECTORS
from tests.detectors.images import Images, normal_images
from tests.detectors.methods import fit, unfitted


@pytest.mark.parametrize("method", [n for n, each in DETECTORS.items() if issubclass(each, FeatureDetector)])
def test_progress_counts_the_images(method: str) -> None:
    news: list[tuple[int, int]] = []
    fit(unfitted(method), Images(normal_images(20)), progress=lambda done, total: news.append((done, total)))
    assert news[:2] == [(16, 20), (20, 20)]
