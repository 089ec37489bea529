"""A frozen network whose features detectors look at: images in, the features of some of its stages out."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from synthgen.errors import InputError

STAGES = (1, 2, 3, 4)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)

Layer = TypeVar("Layer", bound=nn.Module)


class Backbone(nn.Module):
    """A network up to the last of the stages asked for; stage n has the stride 2 ** (n + 1).

    Its parameters are not initialised: `load_backbone` does that, or `load_state_dict`. Without padding,
    which only stage 1 can be had of, a feature depends on where it lies in no way but by the pixels that it
    sees: what a part of an image gives is a part of what the image gives, to shifts by the stride.
    Raises InputError for a stage that is not there.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, name: str, stages: Sequence[int], padded: bool = True) -> None:
        super().__init__()
        assert padded or tuple(stages) == (1,)
        if not stages or not set(stages) <= set(STAGES):
            raise InputError(f"stages {list(stages)} of {name} asked for; some of 1, 2, 3 and 4 are expected")
        self.name = name
        self.stages = tuple(sorted(set(stages)))
        self.channels: dict[int, int] = {}
        """Channels of each stage asked for."""
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(IMAGENET_DEVIATION).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        """Features of each stage asked for, (B, C, ceil(H / stride), ceil(W / stride)) float32.

        ``images``: (B, 3, H, W) float32, RGB in [0, 1]; the normalisation to ImageNet's mean and standard
        deviation is part of the backbone. At (256, 256) the stages 1–4 are 64, 32, 16 and 8 pixels wide.
        """
        return self._features((images - self.mean) / self.deviation)

    @abstractmethod
    def _features(self, x: Tensor) -> dict[int, Tensor]:
        """Features of each stage asked for, of normalised images."""


def centre(shortcut: Tensor, residual: Tensor) -> Tensor:
    """The middle of a shortcut (B, C, H, W), as large as its residual, which is smaller without padding."""
    height, width = residual.shape[2:]
    top, left = (shortcut.shape[2] - height) // 2, (shortcut.shape[3] - width) // 2
    return shortcut[:, :, top : top + height, left : left + width]


def blank(layer: type[Layer], *arguments: Any, **options: Any) -> Layer:
    """A layer whose parameters are not initialised.

    Made on the meta device, because there its own initialisation does not draw from the global generator.
    """
    return layer(*arguments, **options, device="meta").to_empty(device="cpu")
