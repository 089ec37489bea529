"""Classic Perlin noise: octaves of a field by a fixed permutation table, as the package ``noise`` has it."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from synthgen.config.model import FrozenModel
from synthgen.regions.perlin_arrays import AnyArray, fade, functions_of, mix, put, whole

Period = Annotated[int, Field(ge=1, le=4096)]
"""In lattice units; beyond, the coordinates' 24 bits would show as steps."""


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
    functions = functions_of(x)

    def cells(position: AnyArray, period: float) -> tuple[AnyArray, AnyArray]:
        cell = functions.floor(functions.fmod(position, period))
        following = functions.fmod(cell + 1, period)
        return (whole(cell) & 255) + base, (whole(following) & 255) + base

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
    fade_x, fade_y = fade(x), fade(y)
    upper = mix(corner(column, row, x, y), corner(next_column, row, x - 1, y), fade_x)
    lower = mix(corner(column, next_row, x, y - 1), corner(next_column, next_row, x - 1, y - 1), fade_x)
    return mix(upper, lower, fade_y)


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
