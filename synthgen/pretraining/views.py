"""What the network sees of an image: global views, changed strongly, and weak ones, which stay near to it."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from synthgen.detectors.common.colour_jitter import Jitter, changed, drawn_changes, grey_of

AREA, WEAK_AREA = (0.2, 1.0), (0.8, 1.0)
"""Share of the image that a view shows."""
ASPECT = 4 / 3
"""The most that a view is wider than high, or higher than wide."""
JITTER, WEAK_JITTER = Jitter(0.4, 0.4, 0.4, 0.1), Jitter(0.1, 0.1, 0.1, 0.02)
JITTERED, GREYED, BLURRED = 0.8, 0.2, 0.5
"""Shares of the global views that these happen to."""
DEVIATIONS = (0.1, 2.0)
"""Of the Gaussian that blurs, pixels."""


@dataclass(frozen=True)
class Crops:
    """For each of B images, the part of it that is shown."""

    boxes: Tensor
    """(B, 4) float32: left, top, width and height as shares of the image."""
    mirrored: Tensor
    """(B,) bool: whether left and right change places."""

    @classmethod
    def drawn(cls, count: int, area: tuple[float, float], mirrors: bool, generator: Generator) -> "Crops":
        """Parts of an area drawn uniformly, and of an aspect drawn log-uniformly."""
        areas, aspects, left, top, mirrored = torch.rand(5, count, generator=generator)
        areas = area[0] + (area[1] - area[0]) * areas
        aspects = torch.exp(math.log(ASPECT) * (2 * aspects - 1))
        width, height = ((areas * ratio).sqrt().clamp(max=1) for ratio in (aspects, 1 / aspects))
        boxes = torch.stack([left * (1 - width), top * (1 - height), width, height], 1)
        return cls(boxes, (mirrored < 0.5) & mirrors)

    def of(self, images: Tensor) -> Tensor:
        """The parts of images (B, C, H, W), enlarged bilinearly to their size."""
        left, top, width, height = self.boxes.to(images.device).T
        turn = torch.where(self.mirrored.to(images.device), -width, width)
        zero = torch.zeros_like(left)
        rows = [turn, zero, 2 * left + width - 1, zero, height, 2 * top + height - 1]
        grid = functional.affine_grid(
            torch.stack(rows, 1).view(-1, 2, 3), list(images.shape), align_corners=False
        )
        return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


@dataclass(frozen=True)
class WeakViews:
    """For each of B images, a change that leaves it what it is; the same for all that are given to it."""

    crops: Crops
    changes: Tensor
    """(4, B) of its colours."""

    @classmethod
    def drawn(cls, count: int, generator: Generator) -> "WeakViews":
        """A crop of four fifths or more, and slightly other colours."""
        crops = Crops.drawn(count, WEAK_AREA, False, generator)
        return cls(crops, drawn_changes(count, WEAK_JITTER, generator))

    def of(self, images: Tensor) -> Tensor:
        """The views (B, 3, H, W) of images of that shape, in [0, 1]."""
        return changed(self.crops.of(images), self.changes.to(images.device))


def global_views(images: Tensor, generator: Generator) -> Tensor:
    """One view (B, 3, H, W) of each image of that shape, in [0, 1].

    Cut out, mirrored, jittered, greyed and blurred as for SimSiam and MoCo v2 (Chen and He, CVPR 2021,
    appendix A), by a generator on the CPU, so that every device shows the same.
    """
    count = len(images)
    views = Crops.drawn(count, AREA, True, generator).of(images)
    changes = drawn_changes(count, JITTER, generator)
    jittered, greyed, blurred = torch.rand(3, count, generator=generator)
    changes = torch.where(jittered < JITTERED, changes, 0.0)
    views = changed(views, changes.to(views.device))
    views = torch.where(_each(greyed < GREYED, views), grey_of(views), views)
    low, high = DEVIATIONS
    deviations = low + (high - low) * torch.rand(count, generator=generator)
    return torch.where(_each(blurred < BLURRED, views), blur(views, deviations.to(views.device)), views)


def blur(images: Tensor, deviations: Tensor) -> Tensor:
    """Images (B, C, H, W), each blurred by a Gaussian of its own deviation (B,), pixels, cut at three.

    Beyond its border an image is mirrored.
    """
    count, channels, height, width = images.shape
    radius = min(math.ceil(3 * DEVIATIONS[1]), height - 1, width - 1)
    places = torch.arange(-radius, radius + 1, device=images.device)
    kernels = torch.exp(-0.5 * (places / deviations[:, None]).square())
    kernels = (kernels / kernels.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    flat = functional.pad(images.reshape(1, count * channels, height, width), [radius] * 4, "reflect")
    flat = functional.conv2d(flat, kernels[:, None, :, None], groups=len(kernels))
    flat = functional.conv2d(flat, kernels[:, None, None, :], groups=len(kernels))
    return flat.view(images.shape)


def _each(chosen: Tensor, images: Tensor) -> Tensor:
    return chosen.to(images.device)[:, None, None, None]
