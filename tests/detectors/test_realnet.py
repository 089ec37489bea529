"""RealNet's architectures, what it is trained on, and its scores against their formulas."""

from functools import cache
from typing import cast

import numpy as np
import pytest
import torch

from synthgen.detectors.base import Fitting
from synthgen.detectors.checkpoint import NoCheckpoint
from synthgen.detectors.common.backbones import backbone
from synthgen.detectors.inputs import AnomalyBatch, AnomalySource
from synthgen.detectors.realnet.detector import Realnet
from synthgen.detectors.realnet.network import Network
from synthgen.detectors.realnet.pairs import KeptPairs, NewPairs
from synthgen.detectors.realnet.settings import Architecture, RealnetSettings, architecture_of, stages_of
from synthgen.errors import InputError
from tests.detectors.images import SIZE, Images, Spots, detector, no_progress, normal_images, with_a_spot
from tests.detectors.oracles import enlarged


class NoSpots(Spots):
    """Samples of which none came about."""

    def batch(self, numbers: range) -> AnomalyBatch:
        found = super().batch(numbers)
        return found._replace(images=found.normals, masks=torch.zeros_like(found.masks))


def fitted(steps: int, anomalies: type[Spots] = Spots, **settings: object) -> Realnet:
    result = cast(Realnet, detector("realnet", steps=steps, samples=6, batch=4, **settings))
    result.fit(Images(normal_images(6)), anomalies(normal_images(6)), 0, no_progress)
    return result


@cache
def trained() -> Realnet:
    return fitted(30)


def fitting(anomalies: AnomalySource) -> Fitting:
    return Fitting(Images(normal_images(6)), anomalies, 0, no_progress, NoCheckpoint())


def architecture(name: str, network: str) -> Architecture:
    settings = RealnetSettings.model_validate({"architecture": name})
    return architecture_of(settings, backbone(network, stages_of(settings)))


def test_architectures_are_the_published_ones() -> None:
    found = architecture("A", "wide_resnet50_2")
    assert [block.kept for block in found.blocks] == [{1: 256}, {2: 512}, {3: 512}, {4: 256}]
    assert [block.stride for block in found.blocks] == [4, 8, 16, 32]
    assert [block.width for block in found.blocks] == [128, 256, 256, 128]
    assert (found.channels, found.strongest, found.stride) == (1536, 256, 4)
    found = architecture("C", "wide_resnet50_2")
    assert [block.kept for block in found.blocks] == [{1: 256, 2: 512}, {3: 512, 4: 256}]
    assert [(block.stride, block.width) for block in found.blocks] == [(4, 384), (16, 384)]
    assert (found.batch, found.rate, found.multipliers, found.depth) == (16, 1e-4, (1, 2, 4), 2)


@pytest.mark.parametrize(
    ("network", "kept", "widths"),
    [
        ("efficientnet_lite0", ({1: 12, 2: 20}, {3: 56}), [32, 32]),
        ("resnet18", ({1: 32, 2: 64}, {3: 128}), [32, 32]),
        ("wide_resnet50_2", ({1: 128, 2: 256}, {3: 512}), [96, 128]),
    ],
)
def test_the_scaled_architecture_follows_the_backbone(
    network: str, kept: tuple[dict[int, int], ...], widths: list[int]
) -> None:
    found = architecture("scaled", network)
    assert tuple(block.kept for block in found.blocks) == kept
    assert [block.stride for block in found.blocks] == [8, 16]
    assert [block.width for block in found.blocks] == widths
    assert found.strongest == found.channels // 6


def test_a_published_architecture_needs_its_backbone() -> None:
    with pytest.raises(InputError) as error:
        architecture("C", "resnet18")
    assert str(error.value) == (
        "realnet's architecture C is for the 256, 512, 1024 and 2048 channels of wide_resnet50_2, and "
        "resnet18's stages have 64, 128, 256, 512; take that backbone or architecture=scaled"
    )


@pytest.mark.parametrize("name", ["A", "C"])
def test_a_published_network_joins_its_blocks_at_stride_4(name: str) -> None:
    channels = {1: 256, 2: 512, 3: 1024, 4: 2048}
    network = Network(architecture(name, "wide_resnet50_2"), channels, 32, selects_residuals=True)
    features = {
        stage: torch.randn(1, count, 32 >> stage + 1, 32 >> stage + 1) for stage, count in channels.items()
    }
    network.keep(4, torch.arange(1792, 2048))
    blocks = network.selected(network.on_grid(features))
    assert [each.shape[1:] for each in blocks] == (
        [(256, 8, 8), (512, 4, 4), (512, 2, 2), (256, 1, 1)] if name == "A" else [(768, 8, 8), (768, 2, 2)]
    )
    assert torch.equal(blocks[0][:, :256], features[1])
    if name == "A":
        assert torch.equal(blocks[3], features[4][:, 1792:])
    residuals = network.residuals(blocks, [each - 2 for each in blocks])
    assert residuals.shape == (1, 1536, 8, 8)
    assert torch.allclose(residuals, torch.tensor(4.0), atol=1e-4)
    assert network.selection(residuals).shape == (1, 512, 8, 8)


def test_the_selected_channels_are_saved_and_those_of_the_samples() -> None:
    state, at_random = trained().state, fitted(1, selection="random").state
    for stage, count in ((1, 32), (2, 64), (3, 128)):
        kept = state[f"kept_{stage}"].tolist()
        assert kept == sorted(set(kept))
        assert len(kept) == count
        assert kept != at_random[f"kept_{stage}"].tolist()


def test_the_kept_features_are_those_of_the_samples_and_every_pass_has_all() -> None:
    found = trained()
    pairs = cast(KeptPairs, found._select_channels(fitting(Spots(normal_images(6)))))
    samples = next(Spots(normal_images(6)).batches(6, 6))
    expected = found._network.selected(found._network.on_grid(found._extract(samples.images)))
    assert all(
        torch.allclose(ours.float(), theirs, atol=2e-2)
        for ours, theirs in zip(pairs.anomalous, expected, strict=True)
    )
    seen = []
    for step in range(3):
        batch = pairs.batch(step)
        assert not batch.masks[2:].any()
        for given, wanted in zip(batch.given, batch.wanted, strict=True):
            assert torch.equal(given[2:], wanted[2:])
            assert torch.equal(wanted[:2], wanted[2:])
            assert not torch.equal(given[:2], wanted[:2])
        for mask in batch.masks[:2]:
            seen += [number for number, each in enumerate(samples.masks) if torch.equal(mask, each)]
    assert sorted(seen) == list(range(6))
    assert torch.equal(pairs.batch(1).masks, pairs.batch(1).masks)


def test_new_samples_are_those_of_the_steps_numbers() -> None:
    found, spots = trained(), Spots(normal_images(6))
    batch = NewPairs(spots, found._extract, found._network, 2).batch(3)
    samples = spots.batch(range(6, 8))
    assert torch.equal(batch.masks[:2], samples.masks)
    expected = found._network.selected(found._network.on_grid(found._extract(samples.images)))
    assert torch.equal(batch.given[1][:2], expected[1])
    assert not any(block.requires_grad for block in batch.given)


def test_scores_are_the_highest_window_and_maps_the_smoothed_shares() -> None:
    found = trained()
    images = torch.cat([normal_images(1, seed=9), with_a_spot(normal_images(1, seed=9))])
    scores, maps = found.predict(images)
    with torch.no_grad():
        residuals = found._residuals_of(found._extract(images))
        shares = torch.softmax(found._network.logits(residuals, SIZE), 1)[:, 1].double().numpy()
    for image in range(2):
        windows = [
            shares[image, y : y + 16, x : x + 16].mean() for y in range(SIZE - 15) for x in range(SIZE - 15)
        ]
        assert scores[image].item() == pytest.approx(max(windows), abs=1e-4)
        assert np.abs(maps[image].numpy() - enlarged(shares[image], SIZE, 4.0)).max() < 1e-4


def test_training_tells_a_spot_from_normal_and_finds_its_place() -> None:
    found = trained()
    normal, spotted = normal_images(4, seed=9), with_a_spot(normal_images(4, seed=9))
    assert found.predict(spotted)[0].min() > found.predict(normal)[0].max()
    maps = found.predict(spotted)[1]
    assert maps[:, 24:40, 24:40].mean() > 2 * maps.mean()


def test_residuals_alone_are_the_mean_of_those_selected() -> None:
    found = trained()
    image = with_a_spot(normal_images(1, seed=9))
    scores, maps = found.predict_companion("residual alone", image)
    with torch.no_grad():
        residuals = found._residuals_of(found._extract(image))
    state = {name: tensor.double() for name, tensor in found.state.items()}
    normalised = (residuals.double() - state["selection.mean"].view(-1, 1, 1)) / (
        state["selection.variance"].view(-1, 1, 1) + 1e-5
    ).sqrt()
    values = normalised[0].flatten(1).numpy()
    count = 224 // 6
    ranks = [*np.argsort(-values.max(1))[:count], *np.argsort(-values.mean(1))[:count]]
    expected = enlarged(normalised[0].numpy()[ranks].mean(0), SIZE, 4.0)
    assert np.abs(maps[0].numpy() - expected).max() < 1e-3 * np.abs(expected).max()
    assert scores[0] == maps[0].max()


def test_all_residuals_may_go_to_the_discriminator() -> None:
    found = fitted(1, residuals="all")
    assert found.state["discriminator.residual.0.1.weight"].shape == (224, 224, 3, 3)
    assert trained().state["discriminator.residual.0.1.weight"].shape == (74, 74, 3, 3)
    assert found.predict_companion("residual alone", normal_images(1))[1].isfinite().all()


class Specks(Spots):
    """Samples whose anomaly is a pixel that no place of the features has for its nearest."""

    def batch(self, numbers: range) -> AnomalyBatch:
        found = super().batch(numbers)
        masks = torch.zeros_like(found.masks)
        masks[:, 1, 1] = True
        return found._replace(masks=masks)


def test_it_tells_of_anomalies_that_are_too_small_for_the_features() -> None:
    assert trained().notes == []
    [note] = fitted(1, anomalies=Specks).notes
    assert note.startswith("6 of 6 anomalies are too small for the coarsest features, ")


def test_samples_without_any_anomaly_are_refused() -> None:
    with pytest.raises(InputError, match="none of 6 samples shows an anomaly, "):
        fitted(1, anomalies=NoSpots)
