"""What a training step sees: images and patches of normal products and of each kind of anomaly."""

from typing import NamedTuple

import torch
from torch import Tensor

from synthgen.detectors.inputs import AnomalyBatch
from synthgen.streams import Stream


class Examples(NamedTuple):
    """Images with their classes; 0 is normal."""

    images: Tensor
    """(B, 3, H, W) float32 in [0, 1]."""
    classes: Tensor
    """(B,) int64."""


def whole_images(batch: AnomalyBatch, classes: list[int], normals: int) -> Examples:
    """The samples of a batch, behind as many of the good products that they were made of."""
    return Examples(torch.cat([batch.normals[:normals], batch.images]), _classes(classes, normals))


def patches(batch: AnomalyBatch, classes: list[int], normals: int, side: int, stream: Stream) -> Examples:
    """Patches with a part of the defect, behind those of the good products at the same places."""
    places = [_place(mask, side, stream) for mask in batch.masks]
    found = [_cut(image, place, side) for image, place in zip(batch.normals[:normals], places, strict=False)]
    found += [_cut(image, place, side) for image, place in zip(batch.images, places, strict=True)]
    return Examples(torch.stack(found), _classes(classes, normals))


def classes_of(batch: AnomalyBatch, methods: tuple[str, ...], by_method: bool) -> list[int]:
    """Each sample's class: 0 where no defect could be made, else its method's or 1."""
    return [
        0 if not bool(mask.any()) else 1 + methods.index(method) if by_method else 1
        for mask, method in zip(batch.masks, batch.methods, strict=True)
    ]


def _place(mask: Tensor, side: int, stream: Stream) -> tuple[int, int]:
    """Top and left of a patch whose middle half holds a pixel of the mask, as far as the borders allow."""
    marked = mask.nonzero()
    height, width = mask.shape
    row, column = stream.integer(0, height - 1), stream.integer(0, width - 1)
    if len(marked):
        row, column = marked[stream.integer(0, len(marked) - 1)].tolist()
    top = row - stream.integer(side // 4, 3 * side // 4)
    left = column - stream.integer(side // 4, 3 * side // 4)
    return min(max(top, 0), height - side), min(max(left, 0), width - side)


def _cut(image: Tensor, place: tuple[int, int], side: int) -> Tensor:
    top, left = place
    return image[:, top : top + side, left : left + side]


def _classes(of_samples: list[int], normals: int) -> Tensor:
    return torch.tensor([0] * normals + of_samples)
