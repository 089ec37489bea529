"""Small images to fit detectors on, and detectors with an untrained backbone."""

from collections.abc import Iterator

import torch
from torch import Tensor

from synthgen.detectors.base import Detector
from synthgen.detectors.registry import make_detector

SIZE = 64


class Images:
    """Images held in memory, as detectors are given them."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, size: int) -> Iterator[Tensor]:
        yield from torch.split(self.images, size)


def normal_images(count: int, seed: int = 1, size: int = SIZE) -> Tensor:
    """Smooth random pictures about one common picture, with a little grain."""
    generator = torch.Generator().manual_seed(seed)
    common = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    coarse = 0.8 * common + 0.2 * torch.rand(count, 3, 8, 8, generator=generator)
    images = torch.nn.functional.interpolate(coarse, size, mode="bilinear")
    return (images + 0.02 * torch.randn(images.shape, generator=generator)).clamp(0, 1)


def with_a_spot(images: Tensor) -> Tensor:
    """The same with a bright square in the middle."""
    spotted = images.clone()
    spotted[:, :, 24:40, 24:40] = 1
    return spotted


def detector(method: str, **settings: object) -> Detector:
    return make_detector(method, {"image_size": SIZE, **settings}, "resnet18", "random", "cpu")


def no_progress(done: int, total: int) -> None:
    """Nobody is looking."""
