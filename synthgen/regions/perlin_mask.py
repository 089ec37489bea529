"""Masks cut out of Perlin fields: how a recipe describes them, their drawn numbers, and the cutting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from synthgen.config.model import FrozenModel
from synthgen.config.ranges import DegreesRange, PositiveRange
from synthgen.images.pixels import Pixels
from synthgen.regions.perlin_arrays import fetched, put
from synthgen.regions.perlin_classic import Classic, classic_field
from synthgen.regions.perlin_lattice import FieldValues, Lattice, lattice_fields
from synthgen.streams import Stream

Combination = Literal["single", "union", "intersection"]
COMBINATIONS: tuple[Combination, ...] = ("single", "union", "intersection")
Threshold = Annotated[float, Field(gt=-1, lt=1)]


class ClassicWindow(FrozenModel):
    """The part of the endless classic field that an image shows."""

    field: Classic
    origin: tuple[float, float]
    """Lattice coordinates (down, across) of the image's first pixel."""
    frequency: float
    """Lattice units along the image's shorter side."""


class PerlinMask(FrozenModel):
    """The drawn numbers of one mask: the fields (one, or two that are combined) and the threshold."""

    fields: list[Lattice] | list[ClassicWindow]
    combine: Combination
    threshold: float


class _Shape(FrozenModel):
    combine: Literal["single", "union", "intersection", "mixed"] = "single"
    """One mask, two joined, two intersected, or (mixed) any of the three, as GLASS does."""

    def _combination(self, stream: Stream) -> Combination:
        return COMBINATIONS[stream.integer(0, 2)] if self.combine == "mixed" else self.combine


class LatticeShape(_Shape):
    """DRAEM's mask: a turned random-angle lattice above a threshold."""

    field: Literal["lattice"] = "lattice"
    scales: tuple[Annotated[int, Field(ge=0, le=8)], Annotated[int, Field(ge=0, le=8)]] = (0, 5)
    """[low, high]: two to this power cells fit the image; drawn for each axis, both ends included."""
    rotation: DegreesRange = (-90.0, 90.0)
    """Turn of the lattice, [low, high] in degrees counter-clockwise, drawn uniformly."""
    threshold: Threshold = 0.5
    """The mask is where the field is above it, -1 to 1."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.scales[0] > self.scales[1]:
            raise ValueError(f"scales is [low, high], and {self.scales[0]} is above {self.scales[1]}")
        return self

    def draw(self, stream: Stream) -> PerlinMask:
        """Draw the numbers of one mask."""
        combine = self._combination(stream)
        fields = [self._lattice(stream) for _ in range(1 if combine == "single" else 2)]
        return PerlinMask(fields=fields, combine=combine, threshold=self.threshold)

    def _lattice(self, stream: Stream) -> Lattice:
        low, high = self.scales
        return Lattice(
            cells=(2 ** stream.integer(low, high), 2 ** stream.integer(low, high)),
            seed=stream.integer(0, 2**53 - 1),
            rotation=stream.uniform(self.rotation),
        )


class ClassicShape(_Shape, Classic):
    """Classic Perlin noise with octaves above a threshold."""

    field: Literal["classic"]
    frequency: PositiveRange = (2.0, 8.0)
    """Lattice units along the image's shorter side, [low, high], drawn log-uniformly."""
    threshold: Threshold = 0.2
    """The mask is where the field is above it, -1 to 1."""

    def draw(self, stream: Stream) -> PerlinMask:
        """Draw the numbers of one mask."""
        combine = self._combination(stream)
        windows = [self._window(stream) for _ in range(1 if combine == "single" else 2)]
        return PerlinMask(fields=windows, combine=combine, threshold=self.threshold)

    def _window(self, stream: Stream) -> ClassicWindow:
        return ClassicWindow(
            field=Classic(**{name: getattr(self, name) for name in Classic.model_fields}),
            origin=(stream.uniform((0, self.repeat[1])), stream.uniform((0, self.repeat[0]))),
            frequency=stream.log_uniform(self.frequency),
        )


def _shape_kind(value: Any) -> str:
    field = value.get("field", "lattice") if isinstance(value, dict) else getattr(value, "field", "lattice")
    return "classic" if field == "classic" else "lattice"


AnyPerlinShape = Annotated[
    Annotated[LatticeShape, Tag("lattice")] | Annotated[ClassicShape, Tag("classic")],
    Discriminator(_shape_kind),
]
"""A mask's description in a recipe; ``field`` may be left out for the lattice."""


def perlin_masks(masks: Sequence[PerlinMask], height: int, width: int, device: str) -> list[Pixels]:
    """Cut one mask per entry: (height, width) uint8, 0 or 255."""
    lattices = [field for mask in masks for field in mask.fields if isinstance(field, Lattice)]
    turned = iter(lattice_fields(lattices, height, width, device))
    cut: list[Pixels] = []
    for mask in masks:
        parts = [
            (next(turned) if isinstance(field, Lattice) else _show(field, height, width, device))
            > mask.threshold
            for field in mask.fields
        ]
        join = np.logical_or if mask.combine == "union" else np.logical_and
        cut.append(join.reduce(parts).astype(np.uint8) * np.uint8(255))
    return cut


def _show(window: ClassicWindow, height: int, width: int, device: str) -> FieldValues:
    step = window.frequency / min(height, width)
    down, across = (
        put((origin + np.arange(length) * step).astype(np.float32), device)
        for origin, length in zip(window.origin, (height, width), strict=True)
    )
    return fetched(classic_field(window.field, down[:, None], across[None, :]))
