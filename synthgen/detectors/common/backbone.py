"""ResNet-18, -34, -50 and WideResNet-50-2 as extractors of features, with torchvision's parameter names.

He et al., CVPR 2016 (the stride of a bottleneck on its 3 x 3 convolution, as in torchvision);
Zagoruyko and Komodakis, BMVC 2016.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from synthgen.detectors.common.weights import IMAGENET_WEIGHTS, file_from_hub, read_weights
from synthgen.errors import InputError
from synthgen.storage.place import local_path

BackboneName = Literal["resnet18", "resnet34", "resnet50", "wide_resnet50_2"]

STAGES = (1, 2, 3, 4)
STAGE_WIDTHS = {1: 64, 2: 128, 3: 256, 4: 512}
BOTTLENECK_EXPANSION = 4

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)

RANDOM_SEED = 0
"""Untrained weights are always the same."""


class Architecture(NamedTuple):
    """What distinguishes one ResNet from another."""

    blocks: tuple[int, int, int, int]
    """Residual blocks of each stage."""
    bottleneck_width: int | None
    """Channels of a bottleneck's middle as a multiple of the stage's width; None for basic blocks."""


ARCHITECTURES: dict[BackboneName, Architecture] = {
    "resnet18": Architecture((2, 2, 2, 2), None),
    "resnet34": Architecture((3, 4, 6, 3), None),
    "resnet50": Architecture((3, 4, 6, 3), 1),
    "wide_resnet50_2": Architecture((3, 4, 6, 3), 2),
}


class Backbone(nn.Module):
    """A ResNet up to the last of the stages asked for.

    Its parameters are not initialised: `load_backbone` does that, or `load_state_dict`.
    Raises InputError for an unknown name or stage.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, name: BackboneName, stages: Sequence[int]) -> None:
        super().__init__()
        if name not in ARCHITECTURES:
            known = ", ".join(get_args(BackboneName))
            raise InputError(f"backbone '{name}' is not known; one of {known} is expected")
        if not stages or not set(stages) <= set(STAGES):
            raise InputError(f"stages {list(stages)} of {name} asked for; some of 1, 2, 3 and 4 are expected")
        architecture = ARCHITECTURES[name]
        self.name = name
        self.stages = tuple(sorted(set(stages)))
        self.channels: dict[int, int] = {}
        """Channels of each stage asked for; its stride is 2 ** (stage + 1)."""
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(IMAGENET_DEVIATION).view(3, 1, 1), persistent=False)
        self.conv1 = _convolution(3, STAGE_WIDTHS[1], kernel_size=7, stride=2)
        self.bn1 = nn.BatchNorm2d(STAGE_WIDTHS[1])
        channels = STAGE_WIDTHS[1]
        for stage in range(1, self.stages[-1] + 1):
            blocks: list[nn.Module] = []
            for position in range(architecture.blocks[stage - 1]):
                stride = 2 if position == 0 and stage > 1 else 1
                block = _block(architecture, channels, STAGE_WIDTHS[stage], stride)
                blocks.append(block)
                channels = block.out_channels
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
            if stage in self.stages:
                self.channels[stage] = channels

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        """Features of each stage asked for, (B, C, ceil(H / stride), ceil(W / stride)) float32.

        ``images``: (B, 3, H, W) float32, RGB in [0, 1]; the normalisation to ImageNet's mean and standard
        deviation is part of the backbone. At (256, 256) the stages 1–4 are 64, 32, 16 and 8 pixels wide.
        """
        x = (images - self.mean) / self.deviation
        x = self.bn1(self.conv1(x)).relu_()
        x = nn.functional.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        features: dict[int, Tensor] = {}
        for stage in range(1, self.stages[-1] + 1):
            x = self.get_submodule(f"layer{stage}")(x)
            if stage in self.stages:
                features[stage] = x
        return features


def load_backbone(name: BackboneName, weights: str, stages: Sequence[int]) -> Backbone:
    """A frozen backbone in evaluation mode that returns the given stages (of 1–4).

    ``weights``: 'imagenet' (from the Hugging Face hub or its cache), 'random' (untrained, always the same),
    or a .safetensors or .pth file with torchvision's names, which may lack what the stages do not need.
    Raises InputError for an unknown name or stage and for an unfit file, RunError where the hub is needed and
    cannot be reached.
    """
    backbone = Backbone(name, stages)
    if weights == "random":
        _initialise(backbone)
    elif weights == "imagenet":
        _load_file(backbone, file_from_hub(IMAGENET_WEIGHTS[name]))
    else:
        _load_file(backbone, local_path(weights))
    return backbone.eval().requires_grad_(False)


class _BasicBlock(nn.Module):
    """Two 3 x 3 convolutions (He et al., figure 5, left)."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.out_channels = width
        self.conv1 = _convolution(in_channels, width, kernel_size=3, stride=stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, kernel_size=3)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _downsample(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn1(self.conv1(x)).relu_()
        residual = self.bn2(self.conv2(residual))
        residual += x if self.downsample is None else self.downsample(x)
        return residual.relu_()


class _Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions (He et al., figure 5, right)."""

    def __init__(self, in_channels: int, middle: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.conv1 = _convolution(in_channels, middle, kernel_size=1)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = _convolution(middle, middle, kernel_size=3, stride=stride)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = _convolution(middle, out_channels, kernel_size=1)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = _downsample(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn1(self.conv1(x)).relu_()
        residual = self.bn2(self.conv2(residual)).relu_()
        residual = self.bn3(self.conv3(residual))
        residual += x if self.downsample is None else self.downsample(x)
        return residual.relu_()


def _block(
    architecture: Architecture, in_channels: int, width: int, stride: int
) -> _BasicBlock | _Bottleneck:
    if architecture.bottleneck_width is None:
        return _BasicBlock(in_channels, width, stride)
    middle = width * architecture.bottleneck_width
    return _Bottleneck(in_channels, middle, width * BOTTLENECK_EXPANSION, stride)


def _downsample(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """The shortcut's 1 x 1 convolution, where the block changes the size or the number of channels."""
    if stride == 1 and in_channels == out_channels:
        return None
    convolution = _convolution(in_channels, out_channels, kernel_size=1, stride=stride)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels))


def _convolution(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Conv2d:
    # Made on the meta device, because there its initialisation does not draw from the global generator.
    convolution = nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding=kernel_size // 2,
        bias=False,
        device="meta",
    )
    return convolution.to_empty(device="cpu")


def _initialise(backbone: Backbone) -> None:
    """He et al., ICCV 2015, by fan-out, as torchvision does."""
    generator = torch.Generator().manual_seed(RANDOM_SEED)
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)


def _load_file(backbone: Backbone, path: Path) -> None:
    expected = {
        name: tensor
        for name, tensor in backbone.state_dict().items()
        if not name.endswith("num_batches_tracked")  # counts steps of training, and timm leaves it out
    }
    tensors = read_weights(path, expected)
    missing = [name for name in expected if name not in tensors]
    if missing:
        stages = ", ".join(map(str, backbone.stages))
        parts = ", ".join(dict.fromkeys(name.partition(".")[0] for name in missing))
        raise InputError(
            f"{path}: {len(missing)} of {len(expected)} tensors for {backbone.name}'s stages {stages} are "
            f"missing, in {parts} (the first is {missing[0]}); give a complete file or take other stages"
        )
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise InputError(
                f"{path}: {name} has shape {tuple(tensor.shape)}, {backbone.name}'s has "
                f"{tuple(expected[name].shape)}; the file belongs to another backbone"
            )
    backbone.load_state_dict(tensors, strict=False)
