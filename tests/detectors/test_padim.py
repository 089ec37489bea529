"""PaDiM against Mahalanobis distances written out in float64."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from synthgen.detectors.common.backbones import load_backbone
from synthgen.detectors.padim import Padim, _whitening
from synthgen.detectors.registry import make_detector
from synthgen.errors import InputError
from synthgen.evaluation.metrics.ranking import auroc, rank_images
from tests.detectors.images import SIZE, Images, detector, no_progress, normal_images, with_a_spot
from tests.detectors.oracles import Array, enlarged


def all_channels(images: Tensor) -> Array:
    """Features of stages 1 to 3, the coarse ones repeated: (N, H, W, 448)."""
    features = load_backbone("resnet18", "random", (1, 2, 3))(images)
    levels = []
    for stage, values in features.items():
        times = 2 ** (stage - 1)
        levels.append(values.double().numpy().repeat(times, axis=2).repeat(times, axis=3))
    return np.moveaxis(np.concatenate(levels, axis=1), 1, 3)


def expected_distances(train: Tensor, test: Tensor, channels: list[int]) -> Array:
    """(N, H, W): equation 2 with covariances by numpy and inverted as they are."""
    normal, looked_at = all_channels(train)[..., channels], all_channels(test)[..., channels]
    distances = np.empty(looked_at.shape[:3])
    for y, x in np.ndindex(*distances.shape[1:]):
        covariance = np.zeros((len(channels), len(channels)))
        if len(train) > 1:
            covariance = np.cov(normal[:, y, x], rowvar=False)
        inverse = np.linalg.inv(covariance + 0.01 * np.eye(len(channels)))
        for image, vector in enumerate(looked_at[:, y, x] - normal[:, y, x].mean(0)):
            distances[image, y, x] = np.sqrt(vector @ inverse @ vector)
    return distances


def fitted(train: Tensor, seed: int = 0, **settings: object) -> Padim:
    padim = cast(Padim, detector("padim", **settings))
    padim.fit(Images(train), None, seed, no_progress)
    return padim


def chosen_channels(padim: Padim) -> list[int]:
    assert padim._state is not None
    return cast(list[int], padim._state["channels"].tolist())


@pytest.mark.parametrize("count", [1, 2, 40])
def test_maps_are_mahalanobis_distances(count: int) -> None:
    """Of 40 images in three batches; of fewer than channels, where the covariance has no inverse itself."""
    train, test = normal_images(count), with_a_spot(normal_images(2, seed=9))
    padim = fitted(train, channels=20)
    scores, maps = padim.predict(test)
    distances = expected_distances(train, test, chosen_channels(padim))
    for image in range(2):
        expected = enlarged(distances[image], SIZE, 4.0)
        assert np.abs(maps[image].numpy() - expected).max() < 1e-3 * expected.max()
        assert scores[image] == maps[image].max()


def test_a_spot_scores_highest_where_it_is() -> None:
    padim = fitted(normal_images(30))
    normal, _ = padim.predict(normal_images(5, seed=7))
    scores, maps = padim.predict(with_a_spot(normal_images(5, seed=7)))
    assert scores.min() > 1.5 * normal.max()
    for image in maps:
        row, column = divmod(int(image.argmax()), SIZE)
        assert 20 <= row < 44
        assert 20 <= column < 44


def test_constant_images_have_no_variance_and_finite_scores() -> None:
    padim = fitted(torch.full((5, 3, SIZE, SIZE), 0.5))
    same, _ = padim.predict(torch.full((1, 3, SIZE, SIZE), 0.5))
    other, _ = padim.predict(normal_images(1))
    assert same < 1e-2
    assert 1 < other < torch.inf


def test_channels_are_different_ones_that_the_seed_chooses() -> None:
    train = normal_images(3)
    first, again, other = (chosen_channels(fitted(train, seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert len(set(first)) == 100
    # All three stages have a share of them.
    assert min(first) < 64
    assert 192 < max(first) < 448


def test_the_published_number_of_channels_is_the_default() -> None:
    assert cast(Padim, detector("padim"))._kept_channels == 100
    wide = make_detector("padim", {"image_size": 32}, "wide_resnet50_2", "random", "cpu")
    assert cast(Padim, wide)._kept_channels == 550


def test_more_channels_than_there_are_are_refused() -> None:
    with pytest.raises(InputError, match="channels 449: resnet18 has 448 in stages 1 to 3"):
        detector("padim", channels=449)


def test_a_covariance_spoilt_by_rounding_is_taken_as_at_least_the_regularisation() -> None:
    generator = torch.Generator().manual_seed(1)
    vectors = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64)).Q
    values = torch.tensor([1e6, 10.0, 1.0, 0.5, 0.01, -0.003], dtype=torch.float64)
    good = values.clamp(min=0.01)
    spoilt = torch.stack([(vectors * values) @ vectors.T, (vectors * good) @ vectors.T])
    whitening = _whitening(spoilt, 0.01)
    inverse = (vectors / good) @ vectors.T
    for each in whitening:
        assert torch.allclose(each @ each.T, inverse, rtol=1e-5, atol=1e-6)


@pytest.mark.needs_data
def test_broken_bottles_are_told_from_good_ones(data: Path) -> None:
    import cv2

    def read(kind: str, count: int) -> Tensor:
        paths = sorted((data / "data" / "mvtec" / "bottle" / kind).glob("*.png"))[:count]
        pixels = np.stack([cv2.imread(str(path))[..., ::-1] for path in paths])
        return torch.from_numpy(pixels.astype(np.float32)).permute(0, 3, 1, 2) / 255

    weights = str(data / "weights" / "resnet18-imagenet-layer1-3.safetensors")
    padim = make_detector("padim", {"channels": 30}, "resnet18", weights, "cpu")
    padim.fit(Images(read("train/good", 24)), None, 0, no_progress)
    scores, _ = padim.predict(torch.cat([read("test/good", 6), read("test/broken_large", 6)]))
    assert auroc(rank_images(scores.numpy(), np.arange(12) >= 6)) == 1
