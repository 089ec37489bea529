"""ResNet-18, -34, -50 and WideResNet-50-2 as extractors of features, with torchvision's parameter names.

He et al., CVPR 2016 (the stride of a bottleneck on its 3 x 3 convolution, as in torchvision);
Zagoruyko and Komodakis, BMVC 2016.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from synthgen.detectors.common.backbone import Backbone, blank, centre

STAGE_WIDTHS = {1: 64, 2: 128, 3: 256, 4: 512}
BOTTLENECK_EXPANSION = 4


class Architecture(NamedTuple):
    """What distinguishes one ResNet from another."""

    blocks: tuple[int, int, int, int]
    """Residual blocks of each stage."""
    bottleneck_width: int | None
    """Channels of a bottleneck's middle as a multiple of the stage's width; None for basic blocks."""


ARCHITECTURES = {
    "resnet18": Architecture((2, 2, 2, 2), None),
    "resnet34": Architecture((3, 4, 6, 3), None),
    "resnet50": Architecture((3, 4, 6, 3), 1),
    "wide_resnet50_2": Architecture((3, 4, 6, 3), 2),
}


class Resnet(Backbone):
    """A ResNet up to the last of the stages asked for."""

    def __init__(self, name: str, stages: Sequence[int], padded: bool = True) -> None:
        super().__init__(name, stages, padded)
        architecture = ARCHITECTURES[name]
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
        self._pool_padding = 1
        if not padded:
            self._pool_padding = 0
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    module.padding = (0, 0)

    def _features(self, x: Tensor) -> dict[int, Tensor]:
        x = self.bn1(self.conv1(x)).relu_()
        x = nn.functional.max_pool2d(x, kernel_size=3, stride=2, padding=self._pool_padding)
        features: dict[int, Tensor] = {}
        for stage in range(1, self.stages[-1] + 1):
            x = self.get_submodule(f"layer{stage}")(x)
            if stage in self.stages:
                features[stage] = x
        return features


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
        residual += centre(x if self.downsample is None else self.downsample(x), residual)
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
        residual += centre(x if self.downsample is None else self.downsample(x), residual)
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
    padding = kernel_size // 2
    return blank(nn.Conv2d, in_channels, out_channels, kernel_size, stride, padding=padding, bias=False)
