"""Anomalies without images: Gaussian noise in the features, in places that Perlin noise chooses."""

import math

import torch
from torch import Generator, Tensor

THRESHOLD = 0.2
"""Perlin noise above it is anomalous (SuperSimpleNet's for MVTec AD)."""
LARGEST_EXPONENT = 5
"""The lattice has 2 ** k cells a side, k from 0 to this (as DRAEM has it)."""
EMPTY_SHARE = 0.5
"""Share of the masks that are left empty."""


def places(count: int, side: int, generator: Generator, device: torch.device) -> Tensor:
    """Masks (count, side, side) bool of Perlin noise; half of them, by chance, are empty."""
    options = [2**exponent for exponent in range(LARGEST_EXPONENT + 1) if 2**exponent <= side]
    fields = []
    for _ in range(count):
        rows, columns, kept = torch.rand(3, generator=generator, device=device).tolist()
        cells = options[int(rows * len(options))], options[int(columns * len(options))]
        field = perlin(side, cells, generator, device) > THRESHOLD
        fields.append(field if kept >= EMPTY_SHARE else torch.zeros_like(field))
    return torch.stack(fields)


def perlin(side: int, cells: tuple[int, int], generator: Generator, device: torch.device) -> Tensor:
    """Perlin noise (side, side) float32 within [-1, 1] on a lattice of cells (Perlin, SIGGRAPH 2002).

    It is read at the centres of the pixels.
    """
    angles = torch.rand(cells[0] + 1, cells[1] + 1, generator=generator, device=device) * 2 * math.pi
    gradients = torch.stack([angles.sin(), angles.cos()])
    rows, columns = ((torch.arange(side, device=device) + 0.5) * (number / side) for number in cells)
    top, left = rows.long(), columns.long()
    down, right = (rows - top)[:, None], (columns - left)[None]
    corners = []
    for below in (0, 1):
        for beside in (0, 1):
            slope = gradients[:, top + below][:, :, left + beside]
            corners.append(slope[0] * (down - below) + slope[1] * (right - beside))
    down, right = _faded(down), _faded(right)
    above, under = corners[0].lerp(corners[1], right), corners[2].lerp(corners[3], right)
    return above.lerp(under, down.expand_as(above)) * math.sqrt(2)


def _faded(share: Tensor) -> Tensor:
    """Perlin's curve 6 t^5 - 15 t^4 + 10 t^3."""
    return share**3 * (share * (share * 6 - 15) + 10)
