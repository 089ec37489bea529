"""The networks that can be trained: what each preset means, as the configuration of a diffusers UNet.

For one RGB image without categories, with the preset's own variance:

| preset | parameters | multiply-adds | for |
|---|---|---|---|
| tiny | 1.77 M | 0.43 G at 64² | a CPU |
| small | 93.93 M | 41.6 G at 256² | the one to take on a GPU: 20 steps cost 1.7 TFLOP |
| base | 128.83 M | 118.9 G at 256² | finer detail, at three times the cost |
| adm | 552.81 M | 1119.8 G at 256² | comparing with the published network |

small and base pack squares of 4 x 4 and 2 x 2 pixels into channels. adm with 1000 classes has the 553,838,086
parameters of the class-conditional 256² network of Dhariwal & Nichol (NeurIPS 2021).
"""

from dataclasses import dataclass
from typing import Any, Literal

from synthgen.errors import InputError

PresetName = Literal["tiny", "small", "base", "adm"]
Variance = Literal["fixed", "learned"]
Prediction = Literal["epsilon", "v_prediction", "sample"]


@dataclass(frozen=True, slots=True)
class Preset:
    """An architecture, and the learning rate and batch that suit it."""

    channels: tuple[int, ...]
    """Channels of each level; every level after the first has half the resolution."""
    attention: tuple[int, ...]
    """The levels with self-attention, counted from 0."""
    blocks: int
    """Residual blocks of a level."""
    head_channels: int
    norm_groups: int
    learning_rate: float
    batch: int
    packing: int = 1
    """Side of the squares of pixels that are packed into channels before the network (pixel unshuffle)."""
    resnet_sampling: bool = False
    """ADM's residual blocks for down- and upsampling, with scale and shift by the time embedding."""
    prediction: Prediction = "v_prediction"
    variance: Variance = "fixed"

    @property
    def multiple(self) -> int:
        """What the image's side must be a multiple of."""
        return self.packing * 2 ** (len(self.channels) - 1)


_PLAIN_BLOCKS = ("DownBlock2D", "UpBlock2D")

PRESETS: dict[PresetName, Preset] = {
    "tiny": Preset(
        channels=(16, 32, 64, 96),
        attention=(3,),
        blocks=1,
        head_channels=32,
        norm_groups=8,
        learning_rate=5e-4,
        batch=16,
    ),
    "small": Preset(
        channels=(192, 256, 384, 512),  # the first has four times the 48 channels that 4 x 4 pixels make
        attention=(2, 3),
        blocks=2,
        head_channels=64,
        norm_groups=32,
        learning_rate=2e-4,
        batch=32,
        packing=4,
    ),
    "base": Preset(
        channels=(128, 256, 384, 512, 512),
        attention=(3, 4),
        blocks=2,
        head_channels=64,
        norm_groups=32,
        learning_rate=1e-4,
        batch=16,
        packing=2,
    ),
    # Dhariwal & Nichol, section 3, as RealNet (CVPR 2024) took it: attention at sides 32, 16 and 8 of 256.
    "adm": Preset(
        channels=(256, 256, 512, 512, 1024, 1024),
        attention=(3, 4, 5),
        blocks=2,
        head_channels=64,
        norm_groups=32,
        learning_rate=1e-4,
        batch=4,
        resnet_sampling=True,
        prediction="epsilon",
        variance="learned",
    ),
}


def unet_config(
    name: PresetName, size: int, channels: int, classes: int, variance: Variance
) -> dict[str, Any]:
    """The arguments of diffusers' UNet2DModel for square images of ``size`` pixels.

    ``classes`` is the number of class embeddings, 0 for an unconditional network. With learned variance the
    network has twice the output channels. Raises InputError for a size that the network cannot take.
    """
    require_size(name, size)
    preset = PRESETS[name]
    as_adm = preset.resnet_sampling
    plain_down, plain_up = ("ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D") if as_adm else _PLAIN_BLOCKS
    levels = range(len(preset.channels))
    packed = channels * preset.packing**2
    sampling = "resnet" if as_adm else "conv"
    return {
        "sample_size": size // preset.packing,
        "in_channels": packed,
        "out_channels": packed * (2 if variance == "learned" else 1),
        "layers_per_block": preset.blocks,
        "block_out_channels": preset.channels,
        "down_block_types": tuple(
            "AttnDownBlock2D" if level in preset.attention else plain_down for level in levels
        ),
        "up_block_types": tuple(
            "AttnUpBlock2D" if level in preset.attention else plain_up for level in reversed(levels)
        ),
        "downsample_type": sampling,
        "upsample_type": sampling,
        "resnet_time_scale_shift": "scale_shift" if as_adm else "default",
        "attention_head_dim": preset.head_channels,
        "norm_num_groups": preset.norm_groups,
        # Without it diffusers leaves out the norm of the middle's attention, beside scale and shift.
        "attn_norm_num_groups": preset.norm_groups if as_adm else None,
        "num_class_embeds": classes or None,
    }


def require_size(name: PresetName, size: int) -> None:
    """Raises InputError for a side that the preset's network cannot halve so often."""
    multiple = PRESETS[name].multiple
    if size % multiple:
        near = max(1, round(size / multiple)) * multiple
        raise InputError(
            f"size {size}: the preset {name} takes sides that are multiples of {multiple}, such as {near}"
        )
