"""The backbones against a network written out by parameter names, and their weights from every source."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from synthgen.detectors.common import weights as weights_module
from synthgen.detectors.common.backbones import BackboneName, backbone, load_backbone
from synthgen.detectors.common.resnet import Resnet
from synthgen.errors import InputError, RunError

BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "wide_resnet50_2": (3, 4, 6, 3),
}

PARAMETERS: dict[BackboneName, int] = {
    "resnet18": 11_689_512 - 513_000,
    "resnet34": 21_797_672 - 513_000,
    "resnet50": 25_557_032 - 2_049_000,
    "wide_resnet50_2": 68_883_240 - 2_049_000,
}
"""torchvision's numbers of parameters, less the fully connected layer's."""


def images(count: int = 2, size: int = 64) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def random_tensors(name: BackboneName, stages: tuple[int, ...] = (1, 2, 3, 4)) -> dict[str, Tensor]:
    """Weights in which every tensor matters: batch norms are not the identity."""
    generator = torch.Generator().manual_seed(2)
    tensors = load_backbone(name, "random", stages).state_dict()
    for key, tensor in tensors.items():
        if "bn" in key or "downsample.1" in key:
            low = -0.5 if key.endswith(("bias", "running_mean")) else 0.5
            if tensor.is_floating_point():
                tensor.uniform_(low, low + 1, generator=generator)
    return tensors


def forward_by_names(tensors: dict[str, Tensor], x: Tensor, blocks: tuple[int, ...]) -> dict[int, Tensor]:
    """A ResNet in float64, written out from the paper; which blocks and layers there are, the names tell."""
    tensors = {key: tensor.double() for key, tensor in tensors.items()}

    def convolution(x: Tensor, key: str, stride: int) -> Tensor:
        kernel = tensors[f"{key}.weight"]
        return functional.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)

    def norm(x: Tensor, key: str) -> Tensor:
        weight, bias, mean, variance = (
            tensors[f"{key}.{part}"].view(1, -1, 1, 1)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / torch.sqrt(variance + 1e-5) * weight + bias

    def block(x: Tensor, key: str, stride: int) -> Tensor:
        bottleneck = f"{key}.conv3.weight" in tensors
        strides = (1, stride, 1) if bottleneck else (stride, 1)
        y = x
        for number, step in enumerate(strides, start=1):
            y = norm(convolution(y, f"{key}.conv{number}", step), f"{key}.bn{number}")
            if number < len(strides):
                y = y.clamp(min=0)
        if f"{key}.downsample.0.weight" in tensors:
            x = norm(convolution(x, f"{key}.downsample.0", stride), f"{key}.downsample.1")
        return (x + y).clamp(min=0)

    mean = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).view(1, 3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64).view(1, 3, 1, 1)
    x = (x.double() - mean) / deviation
    x = norm(convolution(x, "conv1", 2), "bn1").clamp(min=0)
    x = functional.max_pool2d(x, 3, 2, 1)
    features = {}
    for stage, count in enumerate(blocks, start=1):
        for position in range(count):
            x = block(x, f"layer{stage}.{position}", 2 if stage > 1 and position == 0 else 1)
        features[stage] = x
    return features


@pytest.mark.parametrize("name", BLOCKS)
def test_features_are_those_of_the_network_written_out(name: BackboneName, tmp_path: Path) -> None:
    tensors = random_tensors(name)
    save_file(tensors, tmp_path / "weights.safetensors")
    backbone = load_backbone(name, str(tmp_path / "weights.safetensors"), (1, 2, 3, 4))
    features, expected = backbone(images(1)), forward_by_names(tensors, images(1), BLOCKS[name])
    for stage in (1, 2, 3, 4):
        assert features[stage].dtype == torch.float32
        assert features[stage].shape == (1, backbone.channels[stage], 32 >> stage, 32 >> stage)
        error = (features[stage] - expected[stage]).abs().max() / expected[stage].abs().max()
        assert error < 1e-5


@pytest.mark.parametrize("name", BLOCKS)
def test_the_numbers_of_parameters_are_torchvisions(name: BackboneName) -> None:
    backbone = load_backbone(name, "random", (1, 2, 3, 4))
    assert sum(parameter.numel() for parameter in backbone.parameters()) == PARAMETERS[name]


def test_only_the_stages_asked_for_come_out_and_no_later_one_is_built() -> None:
    backbone = load_backbone("resnet18", "random", (3, 2))
    features = backbone(images())
    assert list(features) == [2, 3]
    assert backbone.channels == {2: 128, 3: 256}
    assert not any(key.startswith("layer4") for key in backbone.state_dict())
    everything = load_backbone("resnet18", "random", (1, 2, 3, 4))(images())
    assert torch.equal(features[2], everything[2])
    assert torch.equal(features[3], everything[3])


def test_a_later_stage_does_not_overwrite_an_earlier_ones_features() -> None:
    first = load_backbone("resnet18", "random", (1,))(images())[1]
    assert torch.equal(load_backbone("resnet18", "random", (1, 2))(images())[1], first)


def test_random_weights_are_always_the_same_and_leave_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = load_backbone("resnet18", "random", (2,)).state_dict()
    assert torch.equal(torch.rand(3), expected)
    second = load_backbone("resnet18", "random", (2,)).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    # By fan-out: a 3 x 3 convolution to 128 channels has variance 2 / (9 * 128).
    assert first["layer2.0.conv1.weight"].std() == pytest.approx((2 / 1152) ** 0.5, rel=0.02)


def test_a_backbone_is_frozen() -> None:
    backbone = load_backbone("resnet18", "random", (1,))
    assert not backbone.training
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_the_state_restores_a_backbone() -> None:
    tensors = random_tensors("resnet18", (2,))
    backbone = Resnet("resnet18", (2,)).eval()
    backbone.load_state_dict(tensors)
    expected = forward_by_names(tensors, images(), (2, 2))[2]
    assert torch.allclose(backbone(images())[2].double(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_files_of_half_precision_without_step_counts_and_with_a_classifier_load(
    suffix: str, tmp_path: Path
) -> None:
    tensors = {
        key: tensor.half()
        for key, tensor in random_tensors("resnet18").items()
        if not key.endswith("num_batches_tracked")
    }
    tensors["fc.weight"] = torch.zeros(1000, 512, dtype=torch.float16)
    path = tmp_path / f"weights{suffix}"
    save_file(tensors, path) if suffix == ".safetensors" else torch.save(tensors, path)
    loaded = load_backbone("resnet18", str(path), (1, 4)).state_dict()
    assert all(torch.equal(loaded[key], tensors[key].float()) for key in tensors if key != "fc.weight")
    assert weights_module.read_weights(path, ["conv1.weight"])["conv1.weight"].dtype == torch.float32


@pytest.mark.needs_data
def test_the_partial_folded_file_loads_where_it_has_the_stages(data: Path) -> None:
    path = data / "weights" / "resnet18-imagenet-layer1-3.safetensors"
    backbone = load_backbone("resnet18", str(path), (1, 2, 3))
    expected = forward_by_names(load_file(path), images(), (2, 2, 2))
    features = backbone(images())
    assert {stage: feature.shape[1] for stage, feature in features.items()} == {1: 64, 2: 128, 3: 256}
    for stage in (1, 2, 3):
        assert torch.allclose(features[stage].double(), expected[stage], rtol=1e-3, atol=1e-4)
    with pytest.raises(InputError) as error:
        load_backbone("resnet18", str(path), (2, 4))
    assert str(error.value) == (
        f"{path}: 25 of 100 tensors for resnet18's stages 2, 4 are missing, in layer4 "
        "(the first is layer4.0.conv1.weight); give a complete file or take other stages"
    )


def save(path: Path, tensors: object) -> str:
    torch.save(tensors, path)
    return str(path)


def bad_files(folder: Path) -> list[tuple[str, str]]:
    """Files that cannot be used, each with words of its message."""
    tensors = {key: tensor.clone() for key, tensor in random_tensors("resnet18", (1,)).items()}
    text = folder / "text.safetensors"
    text.write_text("not weights")
    empty = folder / "empty.pth"
    empty.write_bytes(b"")
    cut = folder / "cut.pth"
    cut.write_bytes(Path(save(folder / "whole.pth", tensors)).read_bytes()[:5000])
    unknown = folder / "weights.onnx"
    unknown.write_bytes(b"x")
    wrong = {**tensors, "conv1.weight": torch.zeros(64, 3, 3, 3)}
    not_finite = {**tensors, "bn1.bias": torch.full((64,), torch.nan)}
    integers = {**tensors, "bn1.bias": torch.ones(64, dtype=torch.int8)}
    return [
        (str(folder / "missing.pth"), "there is no such file"),
        (str(folder), "there is no such file"),
        (str(text), "not a readable safetensors file"),
        (str(empty), "not a readable file of weights"),
        (str(cut), "not a readable file of weights"),
        (str(unknown), "the name ends in '.onnx'; .safetensors or .pth is expected"),
        (save(folder / "list.pth", [1, 2]), "holds a list; a dict of tensors by name is expected"),
        (save(folder / "code.pth", Path("x")), "not a readable file of weights"),
        (
            save(folder / "shape.pth", wrong),
            "conv1.weight has shape (64, 3, 3, 3), resnet18's has (64, 3, 7, 7)",
        ),
        (save(folder / "nan.pth", not_finite), "bn1.bias has NaN or infinite values"),
        (
            save(folder / "integers.pth", integers),
            "bn1.bias is torch.int8; floating-point weights are expected",
        ),
        (
            save(folder / "none.pth", {}),
            "25 of 25 tensors for resnet18's stages 1 are missing, in conv1, bn1, layer1",
        ),
    ]


def test_unusable_files_give_one_line(tmp_path: Path) -> None:
    for path, message in bad_files(tmp_path):
        with pytest.raises(InputError) as error:
            load_backbone("resnet18", path, (1,))
        assert str(error.value).startswith(f"{path}: ")
        assert message in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("stages", [(), (0, 1), (5,)])
def test_unknown_stages_are_refused(stages: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="some of 1, 2, 3 and 4 are expected"):
        load_backbone("resnet18", "random", stages)


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(InputError, match=r"one of efficientnet_lite0, resnet18, resnet34, .* is expected"):
        load_backbone("vgg16", "random", (1,))


def cached_file(cache: Path, commit: str) -> Path:
    """A file where the hub's client looks for a cached one."""
    path = cache / "models--timm--resnet18.tv_in1k" / "snapshots" / commit / "model.safetensors"
    path.parent.mkdir(parents=True)
    save_file(random_tensors("resnet18"), path)
    return path


def test_the_pinned_file_is_taken_from_the_hubs_cache_and_its_content_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = weights_module.IMAGENET_WEIGHTS["resnet18"]
    path = cached_file(tmp_path, pinned.commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(RunError, match=f"and timm/resnet18.tv_in1k had {pinned.sha256} when it was pinned"):
        load_backbone("resnet18", "imagenet", (1,))
    content = sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(weights_module.IMAGENET_WEIGHTS, "resnet18", pinned._replace(sha256=content))
    loaded = load_backbone("resnet18", "imagenet", (1,)).state_dict()
    assert torch.equal(loaded["conv1.weight"], load_file(path)["conv1.weight"])


@pytest.mark.parametrize("cut", [{"HF_HUB_OFFLINE": "1"}, {"HTTPS_PROXY": "http://127.0.0.1:9"}])
def test_without_weights_and_network_there_is_one_clear_line(cut: dict[str, str], tmp_path: Path) -> None:
    code = """
from synthgen.detectors.common.backbones import load_backbone
from synthgen.errors import RunError
try:
    load_backbone("resnet18", "imagenet", (1,))
except RunError as error:
    print(error)
"""
    environment = {**os.environ, "HF_HOME": str(tmp_path), **cut}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.startswith(
        "timm/resnet18.tv_in1k is not in the cache of the Hugging Face hub and cannot be downloaded ("
    )
    assert run.stdout.endswith(
        "; name a .safetensors or .pth file of weights instead, or 'random' for untrained ones\n"
    )
    assert run.stdout.count("\n") == 1
    assert run.stderr == ""


@pytest.mark.parametrize(
    ("name", "cropped", "first"),
    [("resnet18", 3, 6), ("resnet34", 3, 8), ("resnet50", 3, 5), ("efficientnet_lite0", 2, 2)],
)
def test_without_padding_features_are_those_of_the_middle(
    name: BackboneName, cropped: int, first: int
) -> None:
    """Away from the border padding changes nothing, once the image is cropped to the padded one's grid."""
    padded = load_backbone(name, "random", (1,))
    unpadded = backbone(name, (1,), padded=False).eval()
    unpadded.load_state_dict(padded.state_dict())
    image = images(1, 128)
    found = unpadded(image[:, :, cropped:, cropped:])[1]
    expected = padded(image)[1][:, :, first:, first:][:, :, : found.shape[2], : found.shape[3]]
    assert found.shape[2] > 15
    assert torch.allclose(found, expected, atol=1e-5 * float(expected.abs().max()))
