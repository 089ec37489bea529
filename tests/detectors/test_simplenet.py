"""SimpleNet's networks against their formulas, and what its training reaches."""

from typing import cast

import numpy as np
import pytest
import torch
from torch.nn import functional

from synthgen.detectors import simplenet
from synthgen.detectors.common.features import neighbourhood_patches
from synthgen.detectors.simplenet import Simplenet, SimplenetSettings
from synthgen.errors import RunError
from tests.detectors.images import SIZE, Images, detector, no_progress, normal_images, with_a_spot
from tests.detectors.oracles import Array, enlarged

SIDE = SIZE // 8


def fitted(count: int = 12, **settings: object) -> Simplenet:
    result = cast(Simplenet, detector("simplenet", schedule="cpu", hidden=64, **settings))
    result.fit(Images(normal_images(count)), None, 0, no_progress)
    return result


def patches_of(found: Simplenet, images: torch.Tensor) -> torch.Tensor:
    return neighbourhood_patches(found._extract(images))


def expected_scores(found: Simplenet, patches: Array) -> Array:
    """Adaptor, batch norm with the training's statistics, leaky ReLU and the negative sign, in float64."""
    assert found._state is not None
    state = {name: tensor.double().numpy() for name, tensor in found._state.items()}
    adapted = patches @ state["adaptor.weight"].T + state["adaptor.bias"]
    hidden = adapted @ state["discriminator.0.weight"].T + state["discriminator.0.bias"]
    hidden = (hidden - state["discriminator.1.running_mean"]) / np.sqrt(
        state["discriminator.1.running_var"] + 1e-5
    )
    hidden = hidden * state["discriminator.1.weight"] + state["discriminator.1.bias"]
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    return -(hidden @ state["discriminator.3.weight"].T)[..., 0]


def test_scores_and_maps_are_those_of_the_formulas() -> None:
    found = fitted()
    test = with_a_spot(normal_images(2, seed=9))
    scores, maps = found.predict(test)
    values = expected_scores(found, patches_of(found, test).double().numpy())
    assert scores.numpy() == pytest.approx(values.max(1), rel=1e-3, abs=1e-3)
    for image in range(2):
        expected = enlarged(values[image].reshape(SIDE, SIDE), SIZE, 4.0)
        assert np.abs(maps[image].numpy() - expected).max() < 1e-3 * np.abs(expected).max()


def test_training_tells_noisy_features_and_a_spot_from_normal() -> None:
    """Images that were not trained on, and noise as much as the training's."""
    found = fitted(24, noise=0.5)
    normal = patches_of(found, normal_images(4, seed=9)).flatten(0, 1)
    adapted = found._network.adaptor(normal)
    noise = torch.randn(adapted.shape, generator=torch.Generator().manual_seed(8))
    of_normal = found._network.discriminator(adapted)
    of_noisy = found._network.discriminator(adapted + 0.5 * noise)
    assert (of_normal > of_noisy).float().mean() > 0.9
    scores, _ = found.predict(normal_images(4, seed=9))
    spotted, _ = found.predict(with_a_spot(normal_images(4, seed=9)))
    assert (spotted > scores).all()


def test_the_loss_is_equation_7_with_both_kinds_in_one_batch() -> None:
    found = fitted(noise=0.3)
    network = found._network.train()
    patches = patches_of(found, normal_images(2)).flatten(0, 1)
    loss = found._loss(patches, torch.Generator().manual_seed(5))
    adapted = functional.linear(patches, network.adaptor.weight, network.adaptor.bias)
    noise = 0.3 * torch.empty_like(adapted).normal_(generator=torch.Generator().manual_seed(5))
    scores = network.discriminator(torch.cat([adapted, adapted + noise]))[:, 0].tolist()
    terms = [max(0, 0.5 - score) for score in scores[: len(patches)]]
    terms += [max(0, 0.5 + score) for score in scores[len(patches) :]]
    assert loss.item() == pytest.approx(sum(terms) / len(patches), rel=1e-4)


def test_the_published_schedule_is_the_default() -> None:
    assert SimplenetSettings().schedule == "published"
    assert simplenet.PASSES == {"published": 160, "cpu": 20}
    news: list[tuple[int, int]] = []
    found = detector("simplenet", schedule="cpu", hidden=8)
    found.fit(Images(normal_images(2)), None, 0, lambda done, total: news.append((done, total)))
    assert news[0] == (2, 2)
    assert news[1:] == [(number + 1, 20) for number in range(20)]


def test_weights_begin_as_glorots_and_without_biases() -> None:
    found = cast(Simplenet, detector("simplenet"))
    found._network.initialise(torch.Generator().manual_seed(1))
    linear = found._network.adaptor
    assert linear.weight.std().item() == pytest.approx((2 / (384 + 384)) ** 0.5, rel=0.01)
    assert not linear.bias.any()


def test_training_that_ends_in_nan_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simplenet, "ADAPTOR_RATE", 1e30)
    with pytest.raises(RunError, match=r"the loss of step \d+ of 20 is NaN or infinite; "):
        fitted(4)
