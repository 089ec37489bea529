"""A file of weights says whose it is."""

from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors.torch import save_file

from synthgen.detectors.choice import DetectorChoice
from synthgen.detectors.common.backbones import BackboneName, load_backbone, recognise
from synthgen.errors import InputError
from tests.detectors.methods import message


@pytest.mark.parametrize("name", get_args(BackboneName))
@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_every_backbone_is_recognised_by_its_tensors(name: BackboneName, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights.{ending}"
    tensors = load_backbone(name, "random", (1, 2, 3)).state_dict()
    save_file(tensors, path) if ending == "safetensors" else torch.save(tensors, path)
    assert recognise(path) == name


def test_the_weights_decide_the_backbone_that_is_not_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(load_backbone("resnet34", "random", (1, 2, 3)).state_dict(), path)
    made = {weights: DetectorChoice("padim", weights=weights).make() for weights in ("random", str(path))}
    assert [each.backbone.name for each in made.values() if each.backbone] == [
        "efficientnet_lite0",
        "resnet34",
    ]


def test_other_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"layer1.0.conv1.weight": torch.zeros(64, 64, 3, 3)}, path)
    with pytest.raises(InputError) as error:
        recognise(path)
    assert "has the weights of none of efficientnet_lite0, resnet18" in message(error)
