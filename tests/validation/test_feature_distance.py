"""The untrained distance, and predictions from features that were kept."""

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf

from synthgen.detectors.base import DetectorSettings
from synthgen.detectors.choice import DetectorChoice
from synthgen.detectors.common.feature_detector import FeatureDetector
from synthgen.validation.feature_distance import FeatureDistance
from synthgen.validation.product import Normals

SIDE = 64


def images(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def normals(count: int) -> Normals:
    return Normals(images(count, 0), ("",) * count, ("",) * count)


def detector_for(method: str) -> FeatureDetector:
    made = DetectorChoice(method, {"image_size": SIDE}, device="cpu").make()
    assert isinstance(made, FeatureDetector)
    return made


def test_it_is_the_distance_of_ledoit_and_wolfs_gaussian() -> None:
    padim = detector_for("padim")
    ours = FeatureDistance(DetectorSettings(image_size=SIDE), padim.backbone, torch.device("cpu"))
    learned = normals(20)
    ours.fit(learned, None, 0, lambda done, total: None)
    seen = torch.from_numpy(images(5, 1)).permute(0, 3, 1, 2).float() / 255
    scores, maps = ours.predict(seen)

    def vectors(batch: torch.Tensor) -> np.ndarray:
        with torch.inference_mode():
            pooled = torch.cat([each.mean((2, 3)) for each in padim._extract(batch).values()], 1).double()
        return (pooled / pooled.norm(dim=1, keepdim=True)).numpy()

    gaussian = LedoitWolf().fit(vectors(torch.cat(list(learned.batches(20)))))
    assert scores.numpy() == pytest.approx(gaussian.mahalanobis(vectors(seen)) ** 0.5, rel=1e-3)
    assert (maps == scores[:, None, None]).all()


@pytest.mark.parametrize("method", ["padim", "patchcore"])
def test_kept_features_give_the_same_scores(method: str) -> None:
    detector = detector_for(method)
    detector.fit(normals(8), None, 0, lambda done, total: None)
    seen = torch.from_numpy(images(3, 1)).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        each = [detector_for("padim")._extract(image[None]) for image in seen]
        features = {stage: torch.cat([found[stage] for found in each]) for stage in (1, 2, 3)}
    scores, maps = detector.predict_features(features)
    expected_scores, expected_maps = detector.predict(seen)
    assert torch.allclose(scores, expected_scores, rtol=1e-4)
    assert torch.allclose(maps, expected_maps, rtol=1e-4)


def test_a_detector_that_looks_at_images_says_so() -> None:
    assert detector_for("segmenter").scores_features
    assert not detector_for("cutpaste").scores_features
