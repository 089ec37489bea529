"""The random-angle lattice of DRAEM: Perlin fields whose lattice is turned.

A mask cut from one is the same on every device and in every batch. Sines and cosines are taken on the CPU,
for lattice points and rotations only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.config.model import FrozenModel
from synthgen.regions.perlin_arrays import fade, fetched, mix, put, repeated, tiled

FieldValues = npt.NDArray[np.float32]


class Lattice(FrozenModel):
    """A random-angle lattice of gradients over the image (DRAEM, ICCV 2021, supplement)."""

    cells: tuple[int, int]
    """Lattice cells down and across the image."""
    seed: int
    """Names the gradients' angles, which are a hash of it and of the lattice point."""
    rotation: float
    """Degrees counter-clockwise about the centre."""


def lattice_fields(lattices: Sequence[Lattice], height: int, width: int, device: str) -> list[FieldValues]:
    """Evaluate one lattice field per entry: (height, width) float32 each, about -1 … 1.

    Lattices of equal cells are one batch on the device; turning them is OpenCV's work on the CPU.
    """
    by_cells: dict[tuple[int, int], list[int]] = {}
    for position, lattice in enumerate(lattices):
        by_cells.setdefault(lattice.cells, []).append(position)
    fields: dict[int, FieldValues] = {}
    for cells, positions in by_cells.items():
        grid = _Grid(height, width, cells)
        straight = _straight_fields(grid, [lattices[position].seed for position in positions], device)
        for position, field in zip(positions, straight, strict=True):
            fields[position] = _turned(grid, field, lattices[position].rotation)
    return [fields[position] for position in range(len(lattices))]


MOST_POINTS = 16
"""Points along a cell, where it has more pixels: a field is so smooth between them that reading it with
bilinear interpolation is right to 0.01."""


class _Axis:
    """One direction of the lattice: as many cells as the image needs at any angle, whole points in each."""

    def __init__(self, length: int, cells: int, reach: float) -> None:
        per_pixel = cells / length
        centre = (length - 1) / 2 * per_pixel
        first = math.floor(centre - reach * per_pixel)
        self.cells = math.floor(centre + reach * per_pixel) + 2 - first
        self.points = min(MOST_POINTS, math.ceil(length / cells))
        """Points along a cell, at which the field is evaluated before it is turned."""
        self.density = self.points * per_pixel
        self.centre = (centre - first) * self.points
        """Where the image's centre lies, in points."""


class _Grid:
    """The axes of a lattice for an image; it goes on beyond, so that corners are like the middle."""

    def __init__(self, height: int, width: int, cells: tuple[int, int]) -> None:
        self.height, self.width = height, width
        reach = math.hypot(height, width) / 2
        self.down, self.across = _Axis(height, cells[0], reach), _Axis(width, cells[1], reach)


def _straight_fields(grid: _Grid, seeds: Sequence[int], device: str) -> FieldValues:
    """The fields before they are turned: (B, rows of points, columns of points).

    At the fractions (y, x) of a cell, faded to (v, u), the field mixes its corners' values by v and u. A
    corner's value is ``g_y y + g_x x``; the first term needs one number per row and cell column, the second
    one per cell row and column, which leaves little to do per point.
    """
    down, across = grid.down, grid.across
    gradients = np.stack([_lattice_gradients(seed, down.cells + 1, across.cells + 1) for seed in seeds], 1)
    gradient_y, gradient_x = put(gradients * np.float32(2**0.5), device)
    y, x = (
        put(np.arange(axis.points, dtype=np.float32) / np.float32(axis.points), device)
        for axis in (down, across)
    )
    v, u = fade(y), fade(x)

    # (B, cell row, point row, lattice column) and (B, lattice row, 1, column of points)
    y, v = y[:, None], v[:, None]
    along_y = mix(gradient_y[:, :-1, None] * y, gradient_y[:, 1:, None] * (y - 1), v)
    along_x = mix(gradient_x[:, :, :-1, None] * x, gradient_x[:, :, 1:, None] * (x - 1), u)
    along_x = along_x.reshape(len(seeds), down.cells + 1, 1, across.cells * across.points)

    # Rows as long as the field: numpy is slow on many short ones.
    field = repeated(along_y[..., 1:] - along_y[..., :-1], across.points)
    field *= tiled(u, across.cells)
    field += repeated(along_y[..., :-1], across.points)
    rest = (along_x[:, 1:] - along_x[:, :-1]) * v
    rest += along_x[:, :-1]
    field += rest
    return fetched(field.reshape(len(seeds), down.cells * down.points, across.cells * across.points))


def _turned(grid: _Grid, field: FieldValues, degrees: float) -> FieldValues:
    """Read (height, width) out of the middle of a field, turned, with bilinear interpolation."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    down, across = (grid.height - 1) / 2, (grid.width - 1) / 2
    x = np.array([cosine, -sine, sine * down - cosine * across]) * grid.across.density
    y = np.array([sine, cosine, -sine * across - cosine * down]) * grid.down.density
    x[2] += grid.across.centre
    y[2] += grid.down.centre
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(field, np.stack([x, y]), (grid.width, grid.height), flags=flags))


def _lattice_gradients(seed: int, rows: int, columns: int) -> npt.NDArray[np.float32]:
    """Unit vectors at random angles: (2, rows, columns) as y and x."""
    points = np.arange(rows * columns, dtype=np.uint64).reshape(rows, columns)
    angles = hashed_uniform(seed, points) * (2 * np.pi)
    return np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)


def hashed_uniform(seed: int, positions: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """Numbers in [0, 1) that are a hash of the seed and of each position (SplitMix64's finaliser)."""
    with np.errstate(over="ignore"):
        value = (positions + np.uint64(seed) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        value ^= value >> np.uint64(31)
    return np.asarray((value >> np.uint64(11)).astype(np.float64) * 2.0**-53)
