"""Jittered colours are those of their formulas."""

import colorsys
from typing import NamedTuple

import pytest
import torch
from torch import Generator, Tensor

from synthgen.detectors.common.colour_jitter import Jitter, jittered
from tests.detectors.images import normal_images

TENTH = Jitter(0.1, 0.1, 0.1, 0.1)


class Factors(NamedTuple):
    brightness: float = 0.5
    contrast: float = 0.5
    saturation: float = 0.5
    hue: float = 0.5


def jittered_by(images: Tensor, factors: Factors, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Drawn numbers from 0 to 1, of which 0.5 changes nothing."""
    with monkeypatch.context() as patch:
        drawn = torch.tensor(factors).view(4, 1)
        patch.setattr(torch, "rand", lambda *_, **__: drawn)
        return jittered(images, TENTH, Generator())


def test_jitter_is_that_of_its_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    image = 0.2 + 0.5 * normal_images(1)
    assert torch.allclose(jittered_by(image, Factors(), monkeypatch), image, atol=1e-6)
    brighter = jittered_by(image, Factors(brightness=1), monkeypatch)
    assert torch.allclose(brighter, 1.1 * image, atol=1e-6)
    grey = (0.299 * image[:, 0] + 0.587 * image[:, 1] + 0.114 * image[:, 2])[:, None]
    flatter = jittered_by(image, Factors(contrast=0), monkeypatch)
    assert torch.allclose(flatter, grey.mean() + 0.9 * (image - grey.mean()), atol=1e-6)
    paler = jittered_by(image, Factors(saturation=0), monkeypatch)
    assert torch.allclose(paler, grey + 0.9 * (image - grey), atol=1e-6)


def test_the_hue_is_turned_by_a_tenth_of_the_circle_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pure colours of middle brightness, by the hue of the hexagon, which differs by some degrees."""
    for colour in ([0.6, 0.3, 0.3], [0.3, 0.6, 0.3], [0.3, 0.3, 0.6]):
        image = torch.tensor(colour).view(1, 3, 1, 1)
        turned = jittered_by(image, Factors(hue=1), monkeypatch)
        before, after = (colorsys.rgb_to_hsv(*each.flatten().tolist())[0] for each in (image, turned))
        assert (after - before) % 1 == pytest.approx(0.1, abs=0.02)
        assert turned.mean().item() == pytest.approx(image.mean().item(), abs=1e-6)
    grey = torch.full((1, 3, 2, 2), 0.4)
    assert torch.allclose(jittered_by(grey, Factors(hue=1), monkeypatch), grey)


def test_every_image_has_a_jitter_of_its_own() -> None:
    image = normal_images(1).expand(4, -1, -1, -1)
    found = jittered(image, TENTH, Generator().manual_seed(1))
    assert torch.equal(found, jittered(image, TENTH, Generator().manual_seed(1)))
    assert all((found[0] - other).abs().max() > 1e-3 for other in found[1:])
    assert 0 <= found.min() <= found.max() <= 1


def test_each_factor_has_a_range_of_its_own() -> None:
    image = (0.4 + 0.2 * normal_images(1)).expand(4, -1, -1, -1)
    turned = jittered(image, Jitter(0, 0, 0, 0.5), Generator().manual_seed(1))
    assert torch.allclose(turned.mean(1), image.mean(1), atol=1e-6)
    assert (turned - image).abs().max() > 0.01
    still = jittered(image, Jitter(0, 0, 0, 0), Generator().manual_seed(1))
    assert torch.allclose(still, image, atol=1e-6)
