"""PatchCore against brute force in float64."""

from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from synthgen.detectors import patchcore
from synthgen.detectors.common.backbones import load_backbone
from synthgen.detectors.patchcore import Patchcore
from tests.detectors.images import SIZE, Images, detector, no_progress, normal_images, with_a_spot
from tests.detectors.oracles import Array, averaged_patches, enlarged, plain_greedy

SIDE = SIZE // 8
CHANNELS = 128 + 256


def expected_patches(images: Tensor) -> Array:
    """(N, H, W, D) of the backbone as it is, without folded batch norms."""
    features = load_backbone("resnet18", "random", (2, 3))(images)
    return np.stack(
        [
            averaged_patches({stage: values[image].double().numpy() for stage, values in features.items()})
            for image in range(len(images))
        ]
    )


def fitted(train: Tensor, seed: int = 0, **settings: object) -> Patchcore:
    result = cast(Patchcore, detector("patchcore", **settings))
    result.fit(Images(train), None, seed, no_progress)
    return result


def bank(of: Patchcore) -> Array:
    assert of._state is not None
    return of._state["bank"].double().numpy()


def expected_score(patches: Array, memory: Array, neighbours: int | None) -> float:
    """Equations 6 and 7 of one image's patches (N, D), by their definitions; None leaves equation 7 out."""
    distances = np.linalg.norm(patches[:, None] - memory, axis=2)
    farthest = distances.min(1).argmax()
    score = distances[farthest].min()
    if neighbours is None:
        return float(score)
    nearest = distances[farthest].argmin()
    about = np.argsort(np.linalg.norm(memory - memory[nearest], axis=1), kind="stable")[:neighbours]
    weight = 1 - np.exp(score) / np.exp(distances[farthest][about]).sum()
    return float(weight * score)


@pytest.mark.parametrize("bank_together", [7, 4096])
@pytest.mark.parametrize("neighbours", [None, 2, 9])
def test_scores_and_maps_are_those_of_brute_force(
    neighbours: int | None, bank_together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patchcore, "BANK_TOGETHER", bank_together)
    settings = {"reweighting": False} if neighbours is None else {"neighbours": neighbours}
    found = fitted(normal_images(6), **settings)
    test = with_a_spot(normal_images(3, seed=9))
    scores, maps = found.predict(test)
    for image, patches in enumerate(expected_patches(test)):
        flat = patches.reshape(-1, CHANNELS)
        distances = np.linalg.norm(flat[:, None] - bank(found), axis=2).min(1)
        expected = enlarged(distances.reshape(SIDE, SIDE), SIZE, 4.0)
        assert np.abs(maps[image].numpy() - expected).max() < 1e-4 * expected.max()
        assert scores[image].item() == pytest.approx(expected_score(flat, bank(found), neighbours), rel=1e-3)


def test_equation_7_lowers_the_scores() -> None:
    test = with_a_spot(normal_images(3, seed=9))
    lowered, _ = fitted(normal_images(6)).predict(test)
    plain, _ = fitted(normal_images(6), reweighting=False).predict(test)
    assert (lowered < plain).all()


def test_the_bank_is_the_greedy_coreset_of_the_projected_patches() -> None:
    train = normal_images(6)
    found = fitted(train, coreset=0.25)
    patches = fitted(train, coreset=1.0)
    everything = torch.from_numpy(bank(patches)).float()
    assert np.allclose(everything, expected_patches(train).reshape(-1, CHANNELS), rtol=1e-3, atol=1e-4)
    projected = found._project(everything, 0)
    assert projected.shape == (6 * SIDE**2, 128)
    kept = torch.from_numpy(bank(found)).float()
    assert len(kept) == 6 * SIDE**2 // 4
    first = int((everything == kept[0]).all(1).nonzero()[0])
    chosen = plain_greedy(projected.double().numpy(), len(kept), first)
    assert torch.equal(kept, everything[chosen])


def test_the_projection_keeps_distances_nearly() -> None:
    found = fitted(normal_images(2))
    points = torch.randn(60, CHANNELS, generator=torch.Generator().manual_seed(2))
    ratio = torch.pdist(found._project(points, 5)) / torch.pdist(points)
    assert 0.7 < ratio.min() < ratio.max() < 1.3
    assert ratio.mean() == pytest.approx(1, abs=0.03)


def test_a_whole_bank_finds_its_own_images_normal() -> None:
    train = normal_images(4)
    scores, maps = fitted(train, coreset=1.0, reweighting=False).predict(train)
    assert scores.max() < 1e-4
    assert maps.max() < 1e-4


def test_a_bank_of_one_patch_has_nothing_to_weigh() -> None:
    found = fitted(normal_images(1), coreset=0.001)
    assert len(bank(found)) == 1
    scores, _ = found.predict(normal_images(1))
    flat = expected_patches(normal_images(1))[0].reshape(-1, CHANNELS)
    assert scores.item() == pytest.approx(expected_score(flat, bank(found), None), rel=1e-4)


def test_repeated_images_are_kept_once() -> None:
    once, repeated = fitted(normal_images(1)), fitted(normal_images(1).repeat(30, 1, 1, 1))
    assert len(bank(once)) == 6
    assert len(bank(repeated)) == SIDE**2


def test_the_nearest_patch_counts_once_where_the_bank_has_it_twice() -> None:
    found = fitted(normal_images(4))
    assert found._state is not None
    twice = found._state["bank"].repeat(2, 1)
    found.restore({"bank": twice})
    test = with_a_spot(normal_images(1, seed=9))
    scores, _ = found.predict(test)
    flat = expected_patches(test)[0].reshape(-1, CHANNELS)
    assert scores.item() == pytest.approx(expected_score(flat, twice.double().numpy(), 9), rel=1e-3)
