"""A backbone made fast gives the same features, and refuses weights that give none."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from synthgen.detectors.common.backbones import load_backbone
from synthgen.detectors.common.features import FeatureExtractor
from synthgen.errors import RunError
from tests.detectors.images import normal_images
from tests.detectors.methods import message


def test_folded_batch_norms_change_no_features(tmp_path: Path) -> None:
    for name in ("resnet18", "resnet50"):
        tensors = load_backbone(name, "random", (1, 2, 3)).state_dict()  # type: ignore[arg-type]
        generator = torch.Generator().manual_seed(2)
        for tensor in tensors.values():
            if tensor.ndim == 1:
                tensor.uniform_(0.5, 1.5, generator=generator)
        save_file(tensors, tmp_path / "weights.safetensors")
        backbone = load_backbone(name, str(tmp_path / "weights.safetensors"), (1, 2, 3))  # type: ignore[arg-type]
        folded = FeatureExtractor(backbone, torch.device("cpu"))(normal_images(2))
        for stage, values in backbone(normal_images(2)).items():
            assert torch.allclose(folded[stage], values, rtol=1e-3, atol=1e-3 * float(values.max()))


def test_features_that_are_not_finite_are_refused() -> None:
    backbone = load_backbone("resnet18", "random", (1, 2))
    for name in ("layer2.1.conv1.weight", "layer2.1.conv2.weight"):
        backbone.get_parameter(name).mul_(1e30)
    with pytest.raises(RunError) as error:
        FeatureExtractor(backbone, torch.device("cpu"))(normal_images(2))
    assert message(error).startswith("resnet18's features of stage 2 are NaN or infinite; give the weights")
