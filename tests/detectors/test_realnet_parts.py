"""RealNet's two selections against slow loops, its networks against formulas."""

import numpy as np
import pytest
import torch
from torch import Tensor

from synthgen.detectors.realnet.discriminator import Discriminator, anomalous_share
from synthgen.detectors.realnet.reconstruction import ReconstructionNetwork, _Attention
from synthgen.detectors.realnet.residuals import ResidualSelection, strongest_channels
from synthgen.detectors.realnet.selection import ChannelErrors, masks_on_grid, random_channels, resized
from synthgen.detectors.realnet.statistics import channel_statistics


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def initialised(network: torch.nn.Module) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data.normal_(0, 0.2, generator=generator)
    return network


def slow_errors(anomalous: Tensor, normal: Tensor, masks: Tensor) -> list[float]:
    """AFS by its definition, a channel and a place at a time."""
    images, channels, height, width = anomalous.shape
    places = [(i, y, x) for i in range(images) for y in range(height) for x in range(width)]
    errors = []
    for channel in range(channels):
        change = [
            (float(anomalous[i, channel, y, x]) - float(normal[i, channel, y, x])) ** 2 for i, y, x in places
        ]
        low, high = min(change), max(change)
        shown = [(value - low) / (high - low + 1e-4) for value in change]
        wanted = [float(masks[place]) for place in places]
        errors.append(sum((s - w) ** 2 for s, w in zip(shown, wanted, strict=True)) / len(places))
    return errors


def test_feature_selection_is_that_of_slow_loops() -> None:
    """Channels of every strength inside and outside the masks, which another rule orders otherwise."""
    found, expected = ChannelErrors(), np.zeros(16)
    inside, outside = numbers(2, 16, 1, 1, seed=3).square()
    for seed in range(3):
        normal, masks = numbers(2, 16, 4, 4, seed=seed), numbers(2, 4, 4, seed=9 + seed) > 0.5
        anomalous = normal + masks[:, None] * inside + outside * numbers(2, 16, 4, 4, seed=20 + seed)
        found.add(anomalous, normal, masks)
        expected += slow_errors(anomalous, normal, masks)
    for count in range(1, 17):
        assert found.best(count).tolist() == sorted(np.argsort(expected)[:count].tolist())


def test_a_channel_that_does_not_change_is_as_wrong_as_the_masks_are_large() -> None:
    """It beats one that fires at the wrong places, not one that fires at the right ones."""
    masks = torch.zeros(1, 4, 4, dtype=torch.bool)
    masks[0, :2, 0] = True
    normal = torch.zeros(1, 3, 4, 4)
    anomalous = normal.clone()
    anomalous[0, 1, 3, 3], anomalous[0, 2, :2, 0] = 1, 1
    errors = ChannelErrors()
    errors.add(anomalous, normal, masks)
    assert errors.best(1).tolist() == [2]
    assert errors.best(2).tolist() == [0, 2]


def test_of_equal_channels_the_first_are_kept_also_where_no_mask_shows_anything() -> None:
    errors = ChannelErrors()
    errors.add(torch.ones(1, 5, 2, 2), torch.ones(1, 5, 2, 2), torch.zeros(1, 2, 2, dtype=torch.bool))
    assert errors.best(2).tolist() == [0, 1]


def test_random_channels_are_different_ascending_and_the_seeds() -> None:
    found = random_channels(20, 100, 2, 0)
    assert found.tolist() == sorted(set(found.tolist()))
    assert len(found) == 20
    assert torch.equal(found, random_channels(20, 100, 2, 0))
    assert not torch.equal(found, random_channels(20, 100, 3, 0))
    assert not torch.equal(found, random_channels(20, 100, 2, 1))


def test_masks_and_features_on_another_grid() -> None:
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    masks[0, 4:, :4] = True
    masks[0, 1, 7] = True  # too small for the grid
    assert masks_on_grid(masks, 2).tolist() == [[[False, False], [True, False]]]
    features = numbers(1, 2, 4, 4)
    expected = features.view(1, 2, 2, 2, 2, 2).mean((3, 5))
    assert torch.allclose(resized(features, 2), expected, atol=1e-6)


def slow_ranks(normalised: Tensor, count: int) -> list[list[int]]:
    """RRS by its definition; Python's sort keeps the order of equals."""
    ranks = []
    for image in normalised.tolist():
        values = [[value for row in channel for value in row] for channel in image]
        by_maximum = sorted(range(len(values)), key=lambda c: -max(values[c]))
        by_mean = sorted(range(len(values)), key=lambda c: -sum(values[c]) / len(values[c]))
        ranks.append(by_maximum[:count] + by_mean[:count])
    return ranks


@pytest.mark.parametrize("count", [1, 3, 9])
def test_residual_selection_is_that_of_slow_loops_with_ties(count: int) -> None:
    normalised = numbers(4, 9, 3, 3)
    normalised[1, 2] = normalised[1, 7]  # two equal channels
    normalised[2] = 0.5  # all equal
    assert strongest_channels(normalised, count).tolist() == slow_ranks(normalised, count)


def test_residuals_are_ranked_normalised_and_taken_as_they_are() -> None:
    """The scale of a channel does not help it to be taken, and its gradient reaches what was taken."""
    selection = ResidualSelection(5, 2).eval()
    training = numbers(6, 5, 4, 4) * torch.tensor([1.0, 100, 1, 1, 1]).view(-1, 1, 1) + 3
    selection.calibrate(training.split(2))
    residuals = (numbers(3, 5, 4, 4, seed=2) + 3).requires_grad_()
    normalised = (residuals - training.mean((0, 2, 3)).view(-1, 1, 1)) / (
        training.var((0, 2, 3), correction=0).view(-1, 1, 1) + 1e-5
    ).sqrt()
    found, ranks = selection(residuals), slow_ranks(normalised, 2)
    for image in range(3):
        assert torch.equal(found[image], residuals[image, ranks[image]])
        assert torch.allclose(
            selection.standing_out(residuals)[image], normalised[image, ranks[image]], atol=1e-4
        )
    found.sum().backward()
    assert residuals.grad is not None
    for image in range(3):
        times = [ranks[image].count(channel) for channel in range(5)]
        assert residuals.grad[image].amax((1, 2)).tolist() == times


def test_ranks_do_not_depend_on_the_batch_once_it_is_calibrated() -> None:
    selection = ResidualSelection(6, 2)
    residuals = numbers(5, 6, 3, 3).square() * torch.arange(1, 7).view(-1, 1, 1)
    alone = torch.cat([selection(each[None]) for each in residuals])
    assert not torch.equal(selection(residuals), alone)
    selection.calibrate([residuals])
    selection.eval()
    alone = torch.cat([selection(each[None]) for each in residuals])
    assert torch.equal(selection(residuals), alone)


def test_all_residuals_may_be_kept() -> None:
    residuals = numbers(2, 6, 3, 3)
    assert ResidualSelection(6, None)(residuals) is residuals


@pytest.mark.parametrize("side", [1, 5, 8])
def test_reconstruction_begins_at_zero_and_has_the_size_of_what_it_is_given(side: int) -> None:
    network = initialised(ReconstructionNetwork(20, 32, (1, 2, 4), 2))
    features = numbers(2, 20, side, side)
    assert network(features).shape == features.shape
    assert network(features).abs().max() > 0.01
    network.begin_at_zero()  # type: ignore[operator]
    network.output.bias.data.zero_()  # type: ignore[union-attr,operator]
    assert not network(features).any()


def test_the_published_network_has_a_convolution_a_block_and_attention_but_at_the_finest_level() -> None:
    """Width 32: levels of 32, 64 and 128 channels; two blocks a level down, three up, two in the middle."""
    network = ReconstructionNetwork(64, 32, (1, 2, 4), 2)
    inner = [block.convolution for block in [*network.down, *network.middle, *network.up]]
    assert [(each.in_channels, each.out_channels) for each in inner] == [
        *[(32, 32)] * 3,
        *[(32, 64), (64, 64), (64, 64)],
        *[(64, 128), (128, 128)],
        *[(128, 128)] * 2,
        *[(256, 128), (256, 128), (192, 128), (128, 128)],
        *[(192, 64), (128, 64), (96, 64), (64, 64)],
        *[(96, 32), (64, 32), (64, 32)],
    ]
    attention = [each.inputs.in_channels for each in network.modules() if isinstance(each, _Attention)]
    assert sorted(attention) == [64] * 5 + [128] * 6


def test_attention_is_that_of_the_formula() -> None:
    attention = initialised(_Attention(128))
    x = numbers(2, 128, 3, 3)
    parts = attention.inputs(attention.norm(x)).flatten(2)  # type: ignore[operator]
    expected = torch.empty(2, 128, 9)
    for head in range(2):
        queries, keys, values = (
            parts[:, part * 128 + head * 64 : part * 128 + (head + 1) * 64] for part in range(3)
        )
        weights = torch.softmax(torch.einsum("bcq,bck->bqk", queries, keys) / 8, 2)
        expected[:, head * 64 : (head + 1) * 64] = torch.einsum("bqk,bck->bcq", weights, values)
    expected = x + attention.output(expected.view(2, 128, 3, 3))  # type: ignore[operator]
    assert torch.allclose(attention(x), expected, atol=1e-4)


def test_the_discriminator_gives_two_logits_at_twice_the_size() -> None:
    network = initialised(Discriminator(12, (16, 8, 4))).eval()
    logits = network(numbers(2, 12, 5, 5))
    assert logits.shape == (2, 2, 10, 10)
    share = anomalous_share(logits)
    assert torch.allclose(share, torch.sigmoid(logits[:, 1] - logits[:, 0]), atol=1e-6)


def test_channels_have_the_moments_of_all_images_and_a_least_deviation() -> None:
    features = numbers(6, 4, 3, 3) * torch.tensor([1.0, 2, 3, 0]).view(-1, 1, 1) + 5
    mean, deviation = channel_statistics([{2: features[:4]}, {2: features[4:]}])[2]
    expected = features.std((0, 2, 3), correction=0)
    assert torch.allclose(mean, features.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(deviation[:3], expected[:3], atol=1e-5)
    assert deviation[3].item() == pytest.approx(0.05 * expected.mean().item(), rel=1e-4)
