"""The two networks that are trained: one sees whole images, one patches of them."""

from copy import deepcopy

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from synthgen.detectors.common import backbones
from synthgen.detectors.common.backbone import Backbone, blank
from synthgen.detectors.common.gaussian_density import unit
from synthgen.errors import InputError

HEAD = (512, 128)
"""Widths of the layers between an embedding and the classes."""
EMBEDDING = 128
"""Width of a patch's embedding."""
WIDE_ENOUGH = 6
"""From this size of a patch's features on, the two convolutions after the backbone are 3 x 3, else 1 x 1."""


class ImageNetwork(nn.Module):
    """A backbone, the mean of its last stage over the image, and a head that tells the classes apart.

    The backbone's batch norms keep their statistics while their scales are trained.
    """

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__()
        self.backbone = _trainable(backbone)
        self.stage = backbone.stages[-1]
        self.head = head(backbone.channels[self.stage], classes)

    def train(self, mode: bool = True) -> "ImageNetwork":
        """Put the head in training mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, 3, H, W)."""
        logits: Tensor = self.head(pooled(self.backbone(images)[self.stage]))
        return logits


class PatchNetwork(nn.Module):
    """The backbone's stage 1, two convolutions and a mean, all without padding, and a head.

    One patch gives one embedding; a larger image gives those of all its patches at steps of 4 pixels, the
    same as if each were cut out. Raises InputError where a patch is too small for the backbone.
    """

    stride = 4

    def __init__(self, backbone: Backbone, patch: int, classes: int) -> None:
        super().__init__()
        self.side = patch
        self.backbone = _unpadded(backbone)
        channels = backbone.channels[1]
        left = _size_of_features(self.backbone, patch)
        kernel = 3 if left >= WIDE_ENOUGH else 1
        self.convolutions = nn.Sequential(
            blank(nn.Conv2d, channels, EMBEDDING, kernel), nn.ReLU(),
            blank(nn.Conv2d, EMBEDDING, EMBEDDING, kernel), nn.ReLU(),
        )  # fmt: skip
        self._pool = left - 2 * (kernel - 1)
        self.head = head(EMBEDDING, classes)

    def train(self, mode: bool = True) -> "PatchNetwork":
        """Put the head in training mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings (B, rows, columns, D) of length 1 of all patches of images (B, 3, H, W)."""
        return unit(self._embed(images).permute(0, 2, 3, 1))

    def forward(self, patches: Tensor) -> Tensor:
        """Logits (B, classes) of patches (B, 3, patch, patch)."""
        logits: Tensor = self.head(self._embed(patches)[:, :, 0, 0])
        return logits

    def _embed(self, images: Tensor) -> Tensor:
        return functional.avg_pool2d(self.convolutions(self.backbone(images)[1]), self._pool, stride=1)


class Networks(nn.Module):
    """Both; without a size of patches, that for images alone."""

    def __init__(self, backbone: Backbone, patch: int | None, classes: int) -> None:
        super().__init__()
        self.images = ImageNetwork(backbone, classes)
        self.patches = None if patch is None else PatchNetwork(backbone, patch, classes)

    def initialise(self, generator: Generator) -> None:
        """Start what stands after the backbones afresh: He's normal weights and zero biases."""
        for name, module in self.named_modules():
            if ".backbone." not in name and isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def freeze_backbones(self, frozen: bool) -> None:
        """Keep the backbones from being trained, or let them."""
        for network in (self.images, self.patches):
            if network is not None:
                network.backbone.requires_grad_(not frozen)


def pooled(features: Tensor) -> Tensor:
    """The mean over the image (B, C) of features (B, C, H, W)."""
    return features.mean((2, 3))


def head(channels: int, classes: int) -> nn.Sequential:
    """Linear layers with batch norm between, as the public implementation has them; not initialised."""
    layers: list[nn.Module] = []
    for width in HEAD:
        layers += [blank(nn.Linear, channels, width), nn.BatchNorm1d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, blank(nn.Linear, channels, classes))


def _trainable(backbone: Backbone) -> Backbone:
    return deepcopy(backbone).requires_grad_(True)


def _unpadded(backbone: Backbone) -> Backbone:
    """A trainable copy of stage 1 without padding."""
    unpadded = backbones.backbone(backbone.name, (1,), padded=False)
    weights = backbone.state_dict()
    unpadded.load_state_dict({name: weights[name] for name in unpadded.state_dict()})
    return unpadded


@torch.no_grad()
def _size_of_features(backbone: Backbone, patch: int) -> int:
    try:
        features: Tensor = backbone.eval()(torch.zeros(1, 3, patch, patch))[1]
    except RuntimeError as error:  # a kernel larger than what is left
        raise InputError(
            f"patch {patch}: is too small for {backbone.name} without padding; give a larger patch, at most "
            "the image_size, or localisation: grad-cam"
        ) from error
    return features.shape[-1]
