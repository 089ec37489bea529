"""Every loss against a slow, obvious version; gradients by differences, none where the papers stop them."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor

from synthgen.detectors.common.backbones import load_backbone
from synthgen.pretraining.moco import MOMENTUM, MoCo, info_nce
from synthgen.pretraining.simclr import SimClr, nt_xent
from synthgen.pretraining.simsiam import SimSiam, symmetric_loss
from synthgen.pretraining.spot_the_difference import contrast, margin


def vectors(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def cosine(one: Tensor, other: Tensor) -> float:
    return (one @ other).item() / math.sqrt((one @ one).item() * (other @ other).item())


def slow_nt_xent(first: Tensor, second: Tensor, temperature: float) -> float:
    views = [*first, *second]
    total = 0.0
    for i, view in enumerate(views):
        partner = (i + len(first)) % len(views)
        others = sum(math.exp(cosine(view, each) / temperature) for k, each in enumerate(views) if k != i)
        total -= math.log(math.exp(cosine(view, views[partner]) / temperature) / others)
    return total / len(views)


def test_nt_xent() -> None:
    first, second = vectors(5, 7), vectors(5, 7, seed=1)
    assert float(nt_xent(first, second, 0.3)) == pytest.approx(slow_nt_xent(first, second, 0.3))


def test_info_nce_leaves_out_what_is_no_other() -> None:
    queries, keys, queue = vectors(4, 6), vectors(4, 6, seed=1), vectors(9, 6, seed=2)
    keys, queue = (each / each.norm(dim=1, keepdim=True) for each in (keys, queue))
    is_other = torch.rand(4, 9, generator=Generator().manual_seed(3)) < 0.6
    total = 0.0
    for query, key, others in zip(queries, keys, is_other, strict=True):
        positive = math.exp(cosine(query, key) / 0.2)
        negatives = sum(math.exp(cosine(query, queue[k]) / 0.2) for k in others.nonzero()[:, 0].tolist())
        total -= math.log(positive / (positive + negatives))
    assert float(info_nce(queries, keys, queue, is_other, 0.2)) == pytest.approx(total / 4)


def test_simsiam_is_half_of_both_negative_cosines() -> None:
    p1, p2, z1, z2 = (vectors(5, 8, seed=seed) for seed in range(4))
    slow = -sum(cosine(p1[i], z2[i]) / 2 + cosine(p2[i], z1[i]) / 2 for i in range(5)) / 5
    assert float(symmetric_loss(p1, p2, z1, z2)) == pytest.approx(slow)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_the_contrast_is_the_cross_entropy_of_two(temperature: float) -> None:
    image, weak, copy = (vectors(5, 8, seed=seed) for seed in range(3))
    slow = []
    for a, b, c in zip(image, weak, copy, strict=True):
        near, far = (math.exp(cosine(a, each) / temperature) for each in (b, c))
        slow.append(-math.log(near / (near + far)))
    assert contrast(image, weak, copy, temperature).tolist() == pytest.approx(slow)


def test_the_margin_is_a_hinge() -> None:
    image, weak, copy = (vectors(20, 3, seed=seed) for seed in range(3))
    found = margin(image, weak, copy, 0.1).tolist()
    slow = [max(0.0, cosine(a, c) - cosine(a, b) + 0.1) for a, b, c in zip(image, weak, copy, strict=True)]
    assert found == pytest.approx(slow)
    assert 0 < sum(value == 0 for value in found) < 20


EVERYBODY = torch.ones(4, 4, dtype=torch.bool)
LOSSES: dict[str, tuple[Callable[..., Tensor], int]] = {
    "nt-xent": (nt_xent, 2),
    "info-nce": (lambda queries, keys, others: info_nce(queries, keys / 9, others / 9, EVERYBODY), 3),
    "contrast": (lambda a, b, c: contrast(a, b, c, 0.5).sum(), 3),
    "margin": (lambda a, b, c: margin(a, b, c, 0.1).sum(), 3),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_differences(name: str) -> None:
    loss, count = LOSSES[name]
    given = [vectors(4, 5, seed=seed).requires_grad_(True) for seed in range(count)]
    assert torch.autograd.gradcheck(loss, given)


def test_the_term_has_gradients_at_all_three() -> None:
    given = [vectors(4, 5, seed=seed).requires_grad_(True) for seed in range(3)]
    contrast(given[0], given[1], given[2], 0.1).sum().backward()
    assert all(each.grad is not None and bool(each.grad.abs().sum() > 0) for each in given)


def test_simsiam_stops_the_gradient_at_the_projections() -> None:
    p1, p2, z1, z2 = (vectors(4, 5, seed=seed).requires_grad_(True) for seed in range(4))
    symmetric_loss(p1, p2, z1, z2).backward()
    assert p1.grad is not None and p2.grad is not None
    assert z1.grad is None and z2.grad is None


def views(count: int = 4) -> tuple[Tensor, Tensor]:
    drawn = torch.rand(2, count, 3, 32, 32, generator=Generator().manual_seed(0))
    return drawn[0], drawn[1]


def test_moco_has_no_gradient_at_its_keys_which_follow_slowly() -> None:
    moco = MoCo(load_backbone("resnet18", "random", (1,)).requires_grad_(True), Generator().manual_seed(0), 9)
    first, second = views()
    moco(first, second, torch.arange(4))
    moco(second, first, torch.arange(4, 8)).value.backward()
    assert all(parameter.grad is None for parameter in moco.keys.parameters())
    assert all(parameter.grad is not None for parameter in moco.encoder.parameters())
    was = [parameter.clone() for parameter in moco.keys.parameters()]
    with torch.no_grad():
        for parameter in moco.encoder.parameters():
            parameter.add_(1)
    moco.after_update(1)
    followed = zip(moco.keys.parameters(), was, moco.encoder.parameters(), strict=True)
    for slow, old, fast in followed:
        assert torch.allclose(slow, MOMENTUM * old + (1 - MOMENTUM) * fast, atol=1e-6)


def test_the_queue_is_a_ring_in_which_an_image_is_no_negative_of_itself() -> None:
    moco = MoCo(load_backbone("resnet18", "random", (1,)), Generator().manual_seed(0), 6).requires_grad_(
        False
    )
    first, second = views()
    alone = moco(first, second, torch.tensor([0, 1, 2, 3]))
    assert float(alone.value) == pytest.approx(0, abs=1e-6)  # the queue was empty
    same = moco(first, second, torch.tensor([0, 0, 0, 0]))
    assert moco.numbers.tolist() == [0, 0, 2, 3, 0, 0]
    assert float(same.value) > 0
    moco.numbers.fill_(7)
    nobody = moco(first, second, torch.tensor([7, 7, 7, 7]))
    assert float(nobody.value) == pytest.approx(0, abs=1e-6)
    assert torch.allclose(moco.queue.norm(dim=1), torch.ones(6))


def test_each_method_says_what_its_loss_says() -> None:
    backbone = load_backbone("resnet18", "random", (1,))
    first, second = views()
    simclr = SimClr(backbone, Generator().manual_seed(0)).train()
    one, other = simclr.encoder(torch.cat([first, second])).double().chunk(2)
    found = simclr(first, second, torch.arange(4))
    assert found.value.item() == pytest.approx(slow_nt_xent(one, other, 0.2), rel=1e-4)
    simsiam = SimSiam(backbone, Generator().manual_seed(0)).train()
    found = simsiam(first, second, torch.arange(4))
    z, p = found.outputs.double(), simsiam.predictor(found.outputs).double()
    slow = -sum(cosine(p[i], z[(i + 4) % 8]) for i in range(8)) / 8
    assert found.value.item() == pytest.approx(slow, rel=1e-4)
