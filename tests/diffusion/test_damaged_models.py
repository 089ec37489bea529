"""Models that are damaged, or of something else: one sentence each, and nothing is asked of the hub."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from synthgen.diffusion.model import DiffusionModel
from synthgen.errors import InputError
from tests.synthesizers.scenes import random_model

FACTS, UNET, SCHEDULER = "synthgen.json", "unet/config.json", "scheduler/scheduler_config.json"
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
LAYER = "conv_out.weight"

Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("model"), 16, ["one"])


@pytest.fixture
def model(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "copy")


def refused(model: Path, told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        DiffusionModel(model)
    assert str(error.value).startswith(f"model {model}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("file", [FACTS, UNET, SCHEDULER])
@pytest.mark.parametrize(
    "text", ["", "{", "[]", '"google/ddpm-cat-256"', "7", "null", "{}", "\xff", "[" * 10**5]
)
def test_json_of_something_else(model: Path, file: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def downloaded(*_: Any, **__: Any) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("diffusers.configuration_utils.hf_hub_download", downloaded)
    (model / file).write_text(text, "latin-1")
    refused(
        model,
        f"{Path(file).name} (is not JSON|holds no|is of )"
        if file != FACTS
        else "synthgen.json is not of this version",
    )


@pytest.mark.parametrize(
    ("file", "fields", "told"),
    [
        (
            UNET,
            {"_class_name": "UNet2DConditionModel"},
            "its config.json is of a UNet2DConditionModel; expected",
        ),
        (UNET, {"layers_per_block": 10**6}, "layers_per_block: Input should be less than or equal to 32"),
        (UNET, {"block_out_channels": [10**9] * 3}, "block_out_channels.0: Input should be less than"),
        (UNET, {"block_out_channels": [32]}, "weights cannot be loaded"),
        (UNET, {"norm_num_groups": 0}, "weights cannot be loaded"),
        (UNET, {"num_class_embeds": 3}, r"not those of its config.json \(class_embedding.weight\)"),
        (UNET, {"in_channels": 4}, "weights cannot be loaded"),
        (UNET, {"sample_size": 32}, "the files are of different models"),
        (UNET, {"sample_size": None}, "the files are of different models"),
        (FACTS, {"packing": 0}, "packing: Input should be greater than or equal to 1"),
        (FACTS, {"size": 10**6}, "size: Input should be less than or equal to 1024"),
        (FACTS, {"size": 32}, "the files are of different models"),
        (FACTS, {"image_size": [0, 0]}, "image_size.0: Input should be greater"),
        (FACTS, {"categories": []}, "categories: List should have at least 1 item"),
        (
            FACTS,
            {"categories": ["one", "two"]},
            "the network has no classes, and the categories .* ask for 3",
        ),
        (FACTS, {"format_version": 2}, "format_version: Input should be 1"),
    ],
)
def test_fields_that_cannot_be(model: Path, file: str, fields: dict[str, Any], told: str) -> None:
    path = model / file
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    refused(model, told)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda weights: weights.pop(LAYER), rf"not those of its config.json \({LAYER}\)"),
        (lambda weights: weights.update(more=torch.zeros(2)), r"not those of its config.json \(more\)"),
        (lambda weights: weights.clear(), "not those of its config.json"),
        (lambda weights: weights[LAYER][0, 0].fill_(float("nan")), "some of the weights are not numbers"),
        (lambda weights: weights[LAYER].fill_(float("inf")), "some of the weights are not numbers"),
        (lambda weights: weights.update({LAYER: torch.zeros(7, 7)}), "weights cannot be loaded"),
    ],
)
def test_weights_of_another_network(
    model: Path, change: Callable[[Weights], object], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    weights = load_file(model / WEIGHTS)
    change(weights)
    save_file(weights, model / WEIGHTS)
    refused(model, told)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [0, 7, 100, 20_000])
def test_weights_that_end_early(model: Path, size: int) -> None:
    (model / WEIGHTS).write_bytes((model / WEIGHTS).read_bytes()[:size])
    refused(model, "the weights cannot be loaded")


@pytest.mark.parametrize("file", [FACTS, UNET, SCHEDULER, WEIGHTS])
def test_a_file_that_is_not_there(model: Path, file: str) -> None:
    (model / file).unlink()
    refused(model, f"has no {file}; expected what `synthgen sdas train` finished")
