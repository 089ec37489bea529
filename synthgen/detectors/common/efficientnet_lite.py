"""EfficientNet-Lite0 as an extractor of features: small, and its ImageNet weights come in a package.

Tan and Le, ICML 2019; "Lite" (2020) leaves out squeeze-and-excitation and takes ReLU6 for swish. Parameter
names and padding are those of the published weights, which were TensorFlow's.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from synthgen.detectors.common.backbone import Backbone, blank, centre

NAME = "efficientnet_lite0"
STEM_CHANNELS = 32
NORM_EPSILON = 1e-3


class _Group(NamedTuple):
    """Blocks in a row, of which the first may change size and channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int
    stage: int
    """The stage that it belongs to; stage n is what the last of its blocks gives."""


GROUPS = (
    _Group(1, 3, 1, 1, 16, 1),
    _Group(2, 3, 2, 6, 24, 1),
    _Group(2, 5, 2, 6, 40, 2),
    _Group(3, 3, 2, 6, 80, 3),
    _Group(3, 5, 1, 6, 112, 3),
    _Group(4, 5, 2, 6, 192, 4),
    _Group(1, 3, 1, 6, 320, 4),
)


class EfficientnetLite0(Backbone):
    """EfficientNet-Lite0 up to the last of the stages asked for: 24, 40, 112 and 320 channels."""

    def __init__(self, name: str, stages: Sequence[int], padded: bool = True) -> None:
        super().__init__(name, stages, padded)
        self._conv_stem = blank(SameConvolution, 3, STEM_CHANNELS, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(STEM_CHANNELS, NORM_EPSILON)
        self._blocks = nn.ModuleList()
        self._ends: dict[int, int] = {}
        """By stage: how many blocks there are up to its end."""
        channels = STEM_CHANNELS
        for group in GROUPS:
            if group.stage > self.stages[-1]:
                break
            for number in range(group.blocks):
                self._blocks.append(_Block(channels, group, group.stride if number == 0 else 1))
                channels = group.channels
            self._ends[group.stage] = len(self._blocks)
            if group.stage in self.stages:
                self.channels[group.stage] = channels
        for module in self.modules():
            if isinstance(module, SameConvolution):
                module.padded = padded

    def _features(self, x: Tensor) -> dict[int, Tensor]:
        x = functional.relu6(self._bn0(self._conv_stem(x)), inplace=True)
        features: dict[int, Tensor] = {}
        start = 0
        for stage, end in self._ends.items():
            for block in self._blocks[start:end]:
                x = block(x)
            start = end
            if stage in self.stages:
                features[stage] = x
        return features


class SameConvolution(nn.Conv2d):
    """A convolution with TensorFlow's padding ``SAME``: ceil(size / stride) wide, the odd row at the end."""

    padded = True
    """Else it has no padding (``VALID``)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, ceil(H / stride), ceil(W / stride)), without padding to less."""
        if not self.padded:
            return functional.conv2d(x, self.weight, self.bias, self.stride, 0, 1, self.groups)
        kernel, stride = self.kernel_size[0], self.stride[0]
        missing = [max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[2:]]
        top, left = (amount // 2 for amount in missing)
        bottom, right = missing[0] - top, missing[1] - left
        # Where the padding is uneven, a row and a column of zeros make the kernel fit an even one: copying
        # all channels into larger ones takes a tenth of the network's time.
        weight = functional.pad(self.weight, (right - left, 0, bottom - top, 0))
        return functional.conv2d(x, weight, self.bias, stride, (bottom, right), 1, self.groups)


class _Block(nn.Module):
    """An inverted bottleneck: 1 x 1 expansion, depthwise convolution, 1 x 1 projection."""

    def __init__(self, in_channels: int, group: _Group, stride: int) -> None:
        super().__init__()
        middle = in_channels * group.expansion
        self._expands = group.expansion > 1
        self._skips = stride == 1 and in_channels == group.channels
        if self._expands:
            self._expand_conv = blank(SameConvolution, in_channels, middle, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(middle, NORM_EPSILON)
        self._depthwise_conv = blank(
            SameConvolution, middle, middle, group.kernel, stride, groups=middle, bias=False
        )
        self._bn1 = nn.BatchNorm2d(middle, NORM_EPSILON)
        self._project_conv = blank(SameConvolution, middle, group.channels, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(group.channels, NORM_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu6(self._bn0(self._expand_conv(x)), inplace=True) if self._expands else x
        inner = functional.relu6(self._bn1(self._depthwise_conv(inner)), inplace=True)
        inner = self._bn2(self._project_conv(inner))
        return centre(x, inner) + inner if self._skips else inner
