"""A backbone made fast for inference, and the patches that its features are cut into."""

from copy import deepcopy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from synthgen.detectors.common.backbone import Backbone
from synthgen.detectors.common.checks import is_finite
from synthgen.errors import RunError

Features = dict[int, Tensor]
"""By stage, ascending: (B, C, H, W) float32."""


class FeatureExtractor:
    """A backbone on a device, with its batch norms folded into its convolutions and channels last."""

    def __init__(self, backbone: Backbone, device: torch.device) -> None:
        network = deepcopy(backbone)
        _fold_batch_norms(network)
        self._network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._name, self._device = backbone.name, device

    def __call__(self, images: Tensor) -> Features:
        """Features, on the device, of images (B, 3, H, W) float32, RGB in [0, 1].

        Raises RunError for features that are NaN or infinite, as unfit weights give them.
        """
        images = images.to(self._device, memory_format=torch.channels_last)
        features: Features = self._network(images)
        for stage, values in features.items():
            if not is_finite(values):
                raise RunError(
                    f"{self._name}'s features of stage {stage} are NaN or infinite; give the weights of a "
                    "trained network"
                )
        return features


def neighbourhood_patches(features: Features) -> Tensor:
    """Locally aware patch features (Roth et al., CVPR 2022, equations 1 to 3): (B, H * W, D), row by row.

    Each stage is averaged over 3 x 3 neighbours, and the coarser ones are interpolated bilinearly to the size
    (H, W) of the first; D is the sum of their channels.
    """
    pooled = [functional.avg_pool2d(values, 3, stride=1, padding=1) for values in features.values()]
    size = pooled[0].shape[2:]
    levels = [functional.interpolate(values, size, mode="bilinear") for values in pooled[1:]]
    return torch.cat([pooled[0], *levels], dim=1).flatten(2).mT.contiguous()


def _fold_batch_norms(module: nn.Module) -> None:
    children = list(module.named_children())
    for (name, child), (next_name, following) in pairwise(children):
        if isinstance(child, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(child, following))
            setattr(module, next_name, nn.Identity())
    for _, child in children:
        _fold_batch_norms(child)
