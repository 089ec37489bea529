"""Small images to fit detectors on, and detectors with an untrained backbone."""

from collections.abc import Iterator

import torch
from torch import Tensor

from synthgen.detectors.base import Detector
from synthgen.detectors.inputs import AnomalyBatch
from synthgen.detectors.registry import make_detector
from synthgen.streams import Stream

SIZE = 64


class Images:
    """Images held in memory, as detectors are given them."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, size: int) -> Iterator[Tensor]:
        yield from torch.split(self.images, size)


class Spots:
    """Samples with a bright or dark square at a place of its own, of two methods in turn."""

    methods = ("bright", "dark")

    def __init__(self, normals: Tensor) -> None:
        self.normals = normals

    def batches(self, size: int, count: int, first: int = 0) -> Iterator[AnomalyBatch]:
        for start in range(first, first + count, size):
            yield self.batch(range(start, min(start + size, first + count)))

    def batch(self, numbers: range) -> AnomalyBatch:
        normals = torch.stack([self.normals[number % len(self.normals)] for number in numbers])
        side = normals.shape[-1]
        images, masks = normals.clone(), torch.zeros(len(normals), side, side, dtype=torch.bool)
        methods = []
        for position, number in enumerate(numbers):
            stream = Stream(0, number, "spot")
            row, column = (stream.integer(0, side - side // 4) for _ in range(2))
            there = position, slice(row, row + side // 4), slice(column, column + side // 4)
            masks[there] = True
            images[there[0], :, there[1], there[2]] = float(number % 2 == 0)
            methods.append(self.methods[number % 2])
        return AnomalyBatch(images, masks, normals, tuple(methods))


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
