"""Perlin fields: the random-angle lattice of DRAEM, and the classic permutation-table field.

They are computed by numpy on the CPU and by torch on another device, with the same code. Only additions,
multiplications, comparisons and look-ups happen there, each a separate operation that IEEE 754 defines to the
last bit, so a mask cut from a field is the same on every device and in every batch. Sines and cosines are
taken on the CPU, for lattice points and rotations only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from synthgen.config.model import FrozenModel

Period = Annotated[int, Field(ge=1, le=4096)]
"""In lattice units; beyond, the coordinates' 24 bits would show as steps."""

FieldValues = npt.NDArray[np.float32]
AnyArray: TypeAlias = Any
"""A numpy array on the CPU, a torch tensor on another device: what is written means the same for both."""


class Lattice(FrozenModel):
    """A random-angle lattice of gradients over the image (DRAEM, ICCV 2021, supplement)."""

    cells: tuple[int, int]
    """Lattice cells down and across the image."""
    seed: int
    """Names the gradients' angles, which are a hash of it and of the lattice point."""
    rotation: float
    """Degrees counter-clockwise about the centre."""


class Classic(FrozenModel):
    """Classic Perlin noise: fixed permutation table, octaves (Perlin, SIGGRAPH 2002; package ``noise``)."""

    octaves: int = Field(default=4, ge=1, le=12)
    """How many fields are added, each finer and weaker than the one before."""
    persistence: float = Field(default=0.5, gt=0, le=1)
    """Amplitude of an octave relative to the one before."""
    lacunarity: float = Field(default=2.0, ge=1, le=4)
    """Frequency of an octave relative to the one before."""
    repeat: tuple[Period, Period] = (1024, 1024)
    """Period across and down, in lattice units."""
    base: int = Field(default=0, ge=0, le=255)
    """Offset into the permutation table: another base, another field."""


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
    v, u = _fade(y), _fade(x)

    # (B, cell row, point row, lattice column) and (B, lattice row, cell column, point column)
    y, v = y[:, None], v[:, None]
    along_y = _mix(gradient_y[:, :-1, None] * y, gradient_y[:, 1:, None] * (y - 1), v)
    along_x = _mix(gradient_x[:, :, :-1, None] * x, gradient_x[:, :, 1:, None] * (x - 1), u)

    left, step = along_y[..., :-1, None], (along_y[..., 1:] - along_y[..., :-1])[..., None]
    field = step * u
    field += left
    top, step = along_x[:, :-1, None], (along_x[:, 1:] - along_x[:, :-1])[:, :, None]
    rest = step * v[..., None]
    rest += top
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


def classic_field(field: Classic, y: AnyArray, x: AnyArray) -> AnyArray:
    """Evaluate classic noise at coordinates ``y``, ``x``, float32 of shapes that broadcast: about -1 … 1.

    Equal to ``noise.pnoise2(x, y, octaves, persistence, lacunarity, *repeat, base)``. A grid is given as
    (height, 1) and (1, width), so that little is computed per pixel.
    """
    tables = _ClassicTables.beside(x)
    total = y * 0 + x * 0
    amplitude = frequency = np.float32(1)
    largest = np.float32(0)
    for _ in range(field.octaves):
        repeat = (float(field.repeat[0] * frequency), float(field.repeat[1] * frequency))
        octave = _classic_octave(y * float(frequency), x * float(frequency), repeat, field.base, tables)
        octave *= float(amplitude)
        total += octave
        largest += amplitude
        frequency *= np.float32(field.lacunarity)
        amplitude *= np.float32(field.persistence)
    total /= float(largest)
    return total


class _ClassicTables(NamedTuple):
    permutation: AnyArray
    gradient_x: AnyArray
    """The x of the gradient that a permuted number stands for, at each number of the permutation."""
    gradient_y: AnyArray

    @classmethod
    def beside(cls, coordinates: AnyArray) -> _ClassicTables:
        """The tables where the coordinates are."""
        permutation = classic_permutation()
        # The 12 edge directions of a cube, four of them twice, seen from above: each x and y is -1, 0 or 1.
        x_parts = np.array([1, -1, 1, -1, 1, -1, 1, -1, 0, 0, 0, 0, 1, -1, 0, 0], np.float32)
        y_parts = np.array([1, 1, -1, -1, 0, 0, 0, 0, 1, -1, 1, -1, 0, 0, -1, 1], np.float32)
        device = "cpu" if isinstance(coordinates, np.ndarray) else coordinates.device
        tables = (permutation, x_parts[permutation & 15], y_parts[permutation & 15])
        return cls(*(put(table, device) for table in tables))


def _classic_octave(
    y: AnyArray, x: AnyArray, repeat: tuple[float, float], base: int, tables: _ClassicTables
) -> AnyArray:
    functions = _functions_of(x)

    def cells(position: AnyArray, period: float) -> tuple[AnyArray, AnyArray]:
        cell = functions.floor(functions.fmod(position, period))
        following = functions.fmod(cell + 1, period)
        return (_whole(cell) & 255) + base, (_whole(following) & 255) + base

    def corner(column: AnyArray, row: AnyArray, dx: AnyArray, dy: AnyArray) -> AnyArray:
        hashed = functions.take(tables.permutation, functions.take(tables.permutation, column) + row)
        along_x, along_y = (functions.take(table, hashed) for table in (tables.gradient_x, tables.gradient_y))
        along_x *= dx
        along_y *= dy
        along_x += along_y
        return along_x

    column, next_column = cells(x, repeat[0])
    row, next_row = cells(y, repeat[1])
    x, y = x - functions.floor(x), y - functions.floor(y)
    fade_x, fade_y = _fade(x), _fade(y)
    upper = _mix(corner(column, row, x, y), corner(next_column, row, x - 1, y), fade_x)
    lower = _mix(corner(column, next_row, x, y - 1), corner(next_column, next_row, x - 1, y - 1), fade_x)
    return _mix(upper, lower, fade_y)


def _fade(t: AnyArray) -> AnyArray:
    # Perlin 2002: 6 t^5 - 15 t^4 + 10 t^3, in the order of operations that `noise` has.
    return t * t * t * (t * (t * 6 - 15) + 10)


def _mix(first: AnyArray, second: AnyArray, weight: AnyArray) -> AnyArray:
    # Not torch.lerp: devices differ in whether they fuse its multiplication and addition.
    second -= first
    second *= weight
    second += first
    return second


def put(values: npt.NDArray[Any], device: Any) -> AnyArray:
    """Values on a device."""
    if device == "cpu":
        return values
    import torch

    return torch.from_numpy(values).to(device)


def fetched(values: AnyArray) -> npt.NDArray[Any]:
    """Values as a numpy array."""
    return values if isinstance(values, np.ndarray) else np.asarray(values.cpu().numpy())


def _functions_of(values: AnyArray) -> Any:
    """The module whose functions take such values."""
    if isinstance(values, np.ndarray):
        return np
    import torch

    return torch


def _whole(numbers: AnyArray) -> AnyArray:
    """Whole numbers (float32) as integers, with which torch.take looks up."""
    return numbers.astype(np.int64) if isinstance(numbers, np.ndarray) else numbers.long()


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


def classic_permutation() -> npt.NDArray[np.int64]:
    """Ken Perlin's permutation of 0 … 255, repeated so that no sum of a look-up, a cell and a base leaves it.

    The package ``noise`` repeats it only once and reads past its end for a large base.
    """
    return np.tile(np.frombuffer(bytes.fromhex(_PERMUTATION), np.uint8).astype(np.int64), 3)


_PERMUTATION = (
    "97a0895b5a0f830dc95f6035c2e907e18c24671e458e086325f0150a17be0694f778ea4b001ac53e5efcdbcb75230b20"
    "39b12158ed953857ae147d88aba844af4aa547868b301ba64d929ee7536fe57a3cd385e6dc695c29372ef528f4668f36"
    "41193fa101d85049d14c84bbd05912a9c8c4878274bc9f56a4646dc6adba034034d9e2fa7c7b05ca2693767eff5255d4"
    "cfce3be32f103a11b6bd1c2adfb7aad577f898022c9aa346dd99659ba72bac09811627fd13626c6e4f71e0e8b2b97068"
    "daf661e4fb22f2c1eed2900cbfb3a2f1513391ebf90eef6b31c0d61fb5c76a9db854ccb07379322d7f0496fe8aeccd5d"
    "de72431d1848f38d80c34e42d73d9cb4"
)
