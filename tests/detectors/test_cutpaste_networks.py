"""CutPaste's networks: dense localisation is patch by patch, Grad-CAM the gradient of the whole network."""

from typing import get_args

import pytest
import torch
from torch import Generator, Tensor

from synthgen.detectors.common.backbones import BackboneName, load_backbone
from synthgen.detectors.cutpaste.localisation import PatchMaps, grad_cam
from synthgen.detectors.cutpaste.networks import Networks, PatchNetwork
from synthgen.errors import InputError
from tests.detectors.images import normal_images
from tests.detectors.methods import message

CPU = torch.device("cpu")


def networks(backbone: str = "resnet18", patch: int = 64, classes: int = 3) -> Networks:
    found = Networks(load_backbone(backbone, "random", (1, 2, 3)), patch, classes)
    found.initialise(Generator().manual_seed(1))
    return found.eval()


def of_patches(found: Networks) -> PatchNetwork:
    assert found.patches is not None
    return found.patches


def one_by_one(network: PatchNetwork, image: Tensor, patch: int) -> Tensor:
    """The embedding of every patch, each cut out on its own."""
    places = range(0, image.shape[-1] - patch + 1, 4)
    rows = []
    for top in places:
        cut = [image[None, :, top : top + patch, left : left + patch] for left in places]
        rows.append(torch.cat([network.embed(each)[:, 0, 0] for each in cut]))
    return torch.stack(rows)


@pytest.mark.parametrize(
    ("backbone", "patch", "size"),
    [(name, 64, 80) for name in get_args(BackboneName)]
    + [("efficientnet_lite0", 48, 90), ("resnet18", 64, 64)],
)
@torch.no_grad()
def test_dense_localisation_is_patch_by_patch(backbone: str, patch: int, size: int) -> None:
    network = of_patches(networks(backbone, patch))
    image = normal_images(1, size=size)[0]
    expected = one_by_one(network, image, patch)
    found = PatchMaps(patch, size, 4.0, CPU).embed(network, image[None])[0]
    assert found.shape == expected.shape == ((size - patch) // 4 + 1, (size - patch) // 4 + 1, 128)
    assert (found - expected).abs().max() < 1e-5
    if size > patch:
        assert (expected[0, 0] - expected[1, 1]).abs().max() > 1e-3


@torch.no_grad()
def test_a_published_image_has_49_by_49_places() -> None:
    network = of_patches(networks())
    assert network.embed(torch.zeros(1, 3, 256, 256)).shape == (1, 49, 49, 128)


@torch.no_grad()
def test_a_value_stands_at_the_middle_of_its_patch() -> None:
    """A defect of 4 x 4 pixels: the patches about it, which are 64 wide, are those with other embeddings."""
    network = of_patches(networks("efficientnet_lite0", 32))
    image = normal_images(1, size=128)
    changed = image.clone()
    changed[:, :, 40:44, 80:84] = 1
    different = (network.embed(image) - network.embed(changed)).abs().amax(-1)[0] > 0
    rows, columns = (different.any(axis).nonzero()[:, 0].double() for axis in (1, 0))
    # The middle of a patch of 32 that begins at 4 n is 4 n + 16.
    assert 4 * rows.mean() + 16 == pytest.approx(42, abs=2)
    assert 4 * columns.mean() + 16 == pytest.approx(82, abs=2)


@pytest.mark.parametrize(("backbone", "smallest"), [("resnet18", 44), ("resnet34", 60)])
def test_patches_that_are_too_small_are_refused(backbone: str, smallest: int) -> None:
    networks(backbone, smallest)
    with pytest.raises(InputError) as error:
        networks(backbone, smallest - 4)
    assert message(error).startswith(f"patch {smallest - 4}: is too small for {backbone} without padding; ")


def test_grad_cam_is_the_gradient_of_the_whole_network() -> None:
    """Selvaraju's equations 1 and 2: the mean gradient of each channel weighs it."""
    found = networks(classes=4)
    with torch.inference_mode():
        features = found.images.backbone(normal_images(2))[3]
        maps = grad_cam(found.images.head, features)
    values = features.clone().requires_grad_()
    odds = torch.softmax(found.images.head(values.mean((2, 3))), 1)[:, 0]
    (((1 - odds) / odds).log().sum()).backward()
    assert values.grad is not None
    weights = values.grad.sum((2, 3), keepdim=True)
    assert torch.allclose(maps, (weights * values).sum(1).clamp(min=0).detach(), rtol=1e-3, atol=1e-5)
    assert maps.max() > 0


def test_backbones_keep_the_statistics_of_their_weights() -> None:
    found = networks().train()
    before = {name: tensor.clone() for name, tensor in found.state_dict().items()}
    found.images(normal_images(4))
    of_patches(found)(normal_images(4))
    changed = {name for name, tensor in found.state_dict().items() if not torch.equal(before[name], tensor)}
    assert changed
    assert all(".head." in name for name in changed)
    assert all(parameter.requires_grad for parameter in found.parameters())
