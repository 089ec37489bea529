"""RealNet's settings, and the three architectures that they choose from."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from synthgen.detectors.base import DetectorSettings
from synthgen.detectors.common.backbone import Backbone
from synthgen.errors import InputError

PUBLISHED_CHANNELS = {1: 256, 2: 512, 3: 1024, 4: 2048}
"""Channels of WideResNet-50-2's stages, for which A and C were published."""
GROUPS = 32
"""Groups of every group norm: all widths are multiples of it."""


class RealnetSettings(DetectorSettings):
    """RealNet's settings, by default those of the scaled architecture, which is ours."""

    architecture: Literal["scaled", "A", "C"] = "scaled"
    """A and C as published, for WideResNet-50-2 and a GPU: one reconstruction network for each of the stages
    1 to 4 (A), or one for the stages 1 and 2 and one for 3 and 4 (C). scaled is ours, for small backbones and
    a few cores: one network for the stages 1 and 2 at a stride of 8 pixels, one for stage 3 at 16."""
    steps: Annotated[int, Field(ge=1)] | None = None
    """Steps of the training; None takes 400 in scaled, and in A and C 1,000 passes over the normal images."""
    batch: Annotated[int, Field(ge=2, multiple_of=2)] | None = None
    """Images of a step: one half samples with anomalies, the other the good products they were made of. None
    takes 8 in scaled, and in A and C 16."""
    samples: Annotated[int, Field(ge=1)] = 384
    """Samples with anomalies that scaled learns from, whose features are kept in memory in half precision; A
    and C make new samples for every step."""
    selection: Literal["afs", "random"] = "afs"
    """Which channels of the backbone are kept: those whose change shows where the anomaly is (anomaly-aware
    feature selection), or as many at random, to see what the selection is good for."""
    residuals: Literal["rrs", "all"] = "rrs"
    """Which residuals the discriminator is given: the strongest of each image (reconstruction residuals
    selection), or all."""


class Block(NamedTuple):
    """Channels that one network reconstructs together."""

    kept: dict[int, int]
    """By stage, ascending: how many of its channels."""
    stride: int
    """Pixels of the image between two places of the features that it reconstructs."""
    width: int
    """Channels of the network's finest level."""


class Architecture(NamedTuple):
    """What is learned and how large it is."""

    blocks: tuple[Block, ...]
    multipliers: tuple[int, ...]
    """Of a reconstruction network's width, by level, the finest first."""
    depth: int
    """Residual blocks of each level."""
    strongest: int
    """RRS takes that many residuals by their maximum, and as many by their mean: r / 2."""
    widths: tuple[int, int, int]
    """Channels of the discriminator's convolutions before it doubles its size."""
    batch: int
    """Images of a step."""
    rate: float
    """Learning rate of Adam."""
    scaled: bool
    """Whether it is ours: features normalised and kept in memory, and a learning rate that falls."""

    @property
    def stride(self) -> int:
        """The finest block's, at which the discriminator works."""
        return min(block.stride for block in self.blocks)

    @property
    def channels(self) -> int:
        """Residuals of all blocks together."""
        return sum(sum(block.kept.values()) for block in self.blocks)


def stages_of(settings: RealnetSettings) -> tuple[int, ...]:
    """The stages of the backbone that an architecture looks at."""
    return (1, 2, 3) if settings.architecture == "scaled" else (1, 2, 3, 4)


def architecture_of(settings: RealnetSettings, backbone: Backbone) -> Architecture:
    """The architecture on a backbone. Raises InputError where A or C does not fit it."""
    if settings.architecture == "scaled":
        return _scaled(backbone.channels)
    if backbone.channels != PUBLISHED_CHANNELS:
        raise InputError(
            f"realnet's architecture {settings.architecture} is for the 256, 512, 1024 and 2048 channels of "
            f"wide_resnet50_2, and {backbone.name}'s stages have "
            f"{', '.join(map(str, backbone.channels.values()))}; take that backbone or architecture=scaled"
        )
    kept = ({1: 256}, {2: 512}, {3: 512}, {4: 256})
    blocks = tuple(_published(each, 4 << position) for position, each in enumerate(kept))
    if settings.architecture == "C":
        blocks = (_published({1: 256, 2: 512}, 4), _published({3: 512, 4: 256}, 16))
    return Architecture(blocks, (1, 2, 4), 2, 256, (128, 32, 8), 16, 1e-4, False)


def _published(kept: dict[int, int], stride: int) -> Block:
    return Block(kept, stride, sum(kept.values()) // 2)


def _scaled(channels: dict[int, int]) -> Architecture:
    """As C without stage 4: half of each stage's channels, r a third of those, and widths a quarter of them,
    rounded up to what group norm needs."""
    kept = {stage: count // 2 for stage, count in channels.items()}
    blocks = tuple(
        Block(of_block, stride, GROUPS * -(-sum(of_block.values()) // (4 * GROUPS)))
        for of_block, stride in (({1: kept[1], 2: kept[2]}, 8), ({3: kept[3]}, 16))
    )
    return Architecture(blocks, (1, 2), 1, sum(kept.values()) // 6, (64, 32, 8), 8, 1e-3, True)
