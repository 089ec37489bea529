"""Looking at images: the cells of good products, and which of a defect's cells are beyond those."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from synthgen.detectors.segmenter.cells import cover_of
from synthgen.images.grid import STRIDE, Cells
from synthgen.images.pixels import Pixels
from synthgen.normality.abnormality import Abnormality, abnormality_of
from synthgen.normality.memory import NormalMemory
from synthgen.normality.network import CellNetwork
from synthgen.normality.windows import Box, on_grid, windows
from synthgen.runtime.threads import one_torch_thread

TOGETHER = 8
"""Images whose windows are seen together."""


class Subject(NamedTuple):
    """An image, and the part of it that is to be looked at."""

    memory: NormalMemory
    """What good products of its kind look like; on the network's device."""
    image: Pixels
    """(H, W, 1 or 3) uint8."""
    mask: Pixels
    """(H, W) uint8: above 0 where it is to be looked at, one pixel or more."""
    box: Box
    """The mask's bounding box."""


class Finding(NamedTuple):
    """What was seen of a subject."""

    abnormality: Abnormality
    beyond: Cells
    """Those with a pixel of the mask that are beyond normal variation."""


class _Piece(NamedTuple):
    """What one window shows of an image."""

    image: Pixels
    cover: Tensor
    """(height, width) float32: the share of each cell that the mask covers, 0 where other windows answer."""
    left: int
    """The first column of cells in the image, and in ``top`` the first row."""
    top: int


def examine(network: CellNetwork, subjects: Sequence[Subject]) -> list[Finding]:
    """Look at some images; each comes to the same, whichever are looked at together."""
    with torch.inference_mode(), one_torch_thread():
        pieces = [list(_pieces(subject.image, subject.mask, subject.box)) for subject in subjects]
        cells = iter(_cells(network, [piece for own in pieces for piece in own]))
        return [
            _finding(subject, [(piece, next(cells)) for piece in own])
            for subject, own in zip(subjects, pieces, strict=True)
        ]


def points_of(network: CellNetwork, images: Iterable[tuple[Pixels, Pixels]]) -> Iterator[Tensor]:
    """The cells (M, C) float32 of each image (H, W, C), those at least half of which are its foreground.

    Given with each is the foreground (H, W) uint8, 255 where a defect may be. An image without such a cell
    gives none.
    """
    remaining = iter(images)
    while some := list(islice(remaining, TOGETHER)):
        pieces = [list(_pieces(image, inside, (0, 0, *inside.shape[::-1]))) for image, inside in some]
        cells = iter(_cells(network, [piece for own in pieces for piece in own]))
        for own in pieces:
            yield torch.cat([next(cells)[:, piece.cover >= 0.5].mT for piece in own]).cpu()


def _pieces(image: Pixels, mask: Pixels, box: Box) -> Iterator[_Piece]:
    image, cover = on_grid(image), cover_of(torch.from_numpy(mask > 0)[None])[0]
    height, width = image.shape[:2]
    for window in windows(height, width, box):
        left, top, right, bottom = window.seen
        own_left, own_top, own_right, own_bottom = (edge // STRIDE for edge in window.own)
        answered = torch.zeros_like(cover)
        answered[own_top:own_bottom, own_left:own_right] = cover[own_top:own_bottom, own_left:own_right]
        rows, columns = slice(top // STRIDE, bottom // STRIDE), slice(left // STRIDE, right // STRIDE)
        yield _Piece(image[top:bottom, left:right], answered[rows, columns], columns.start, rows.start)


def _cells(network: CellNetwork, pieces: Sequence[_Piece]) -> list[Tensor]:
    """The cells (C, height, width) of each piece; those of one shape are seen together."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for number, piece in enumerate(pieces):
        alike.setdefault(piece.image.shape, []).append(number)
    found: dict[int, Tensor] = {}
    for numbers in alike.values():
        found.update(zip(numbers, network([pieces[number].image for number in numbers]), strict=True))
    return [found[number] for number in range(len(pieces))]


def _finding(subject: Subject, seen: Sequence[tuple[_Piece, Tensor]]) -> Finding:
    beyond = np.zeros([-(-side // STRIDE) for side in subject.mask.shape], np.bool_)
    relative, weights = [], []
    for piece, cells in seen:
        inside = piece.cover > 0
        distances = subject.memory.relative_distances(cells[:, inside].mT).cpu()
        relative.append(distances)
        weights.append(piece.cover[inside])
        rows, columns = np.nonzero(inside.numpy())
        beyond[rows + piece.top, columns + piece.left] = (distances > 1).numpy()
    return Finding(abnormality_of(torch.cat(relative), torch.cat(weights)), beyond)
