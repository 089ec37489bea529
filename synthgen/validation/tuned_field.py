"""What tuning moves: the strength or the area of all defects of a recipe, by one factor."""

from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from synthgen.errors import InputError
from synthgen.recipe.recipe import Recipe
from synthgen.synthesizers.base import Synthesizer

Field = Literal["strength", "area"]
FIELDS: tuple[Field, ...] = get_args(Field)

BOUNDS = {"delta": (0.02, 1.0), "s": (0.02, 1.5), "area": (0.0005, 1.0)}
"""The least and the most that is worth trying: 0.02 of the whole range of grey levels is 5, which
min_contrast hardly lets pass, and 0.0005 of 256 x 256 pixels are 33."""
DIGITS = 4
"""Significant ones of what is written."""

Range = tuple[float, float]


@dataclass(frozen=True)
class TunedField:
    """A recipe with the ranges in it that are tuned: each is [low, high] times one factor for all.

    What would leave the range that a field can have is clipped, so that a range keeps its relative width
    until its upper end can rise no further.
    """

    recipe: Recipe
    names: tuple[str, ...]
    """The field of each synthesizer: ``delta``, ``s`` or ``area``."""

    @classmethod
    def of(cls, recipe: Recipe, field: Field) -> Self:
        """The ranges of a recipe. Raises InputError where one of its methods has none that could be moved."""
        if field not in FIELDS:
            raise InputError(f"field {field!r}: {' or '.join(FIELDS)} can be tuned")
        if lacking := [each.method for each in recipe.synthesizers if not _has(each, field)]:
            raise InputError(
                f"recipe {recipe.name}: {', '.join(dict.fromkeys(lacking))} has no field area; tune the "
                "strength, or a recipe of methods that have one, such as cutpaste, smoothblend and cutout"
            )
        found = cls(recipe, tuple(_name(each, field) for each in recipe.synthesizers))
        for synthesizer, (_, high) in zip(recipe.synthesizers, found._ranges, strict=True):
            _require_movable(recipe.name, synthesizer, field, high)
        return found

    @property
    def name(self) -> str:
        """What is moved, such as ``delta``, or ``delta and s`` where the methods differ."""
        return " and ".join(sorted(set(self.names)))

    @property
    def factors(self) -> Range:
        """The factors at which all ranges are at their least, and at their most; 1 lies between them."""
        each = list(zip(self.names, self._ranges, strict=True))
        least = min(BOUNDS[name][0] / high for name, (_, high) in each)
        most = max(_most(name, high) / (low or high) for name, (low, high) in each)
        return min(least, 1.0), max(most, 1.0)

    def at(self, factor: float) -> Recipe:
        """The recipe with its ranges moved; with the factor 1 it stays as it is written."""
        if factor == 1:
            return self.recipe
        moved = [
            each.model_copy(update={name: _moved(name, bounds, factor)})
            for each, name, bounds in zip(self.recipe.synthesizers, self.names, self._ranges, strict=True)
        ]
        return self.recipe.model_copy(update={"synthesizers": moved})

    def value(self, factor: float) -> float:
        """The middle of a moved range, on average over the methods by their weights."""
        recipe = self.at(factor)
        ranges = TunedField(recipe, self.names)._ranges
        weights = [each.weight for each in recipe.synthesizers]
        middles = [(low + high) / 2 for low, high in ranges]
        return sum(map(float.__mul__, weights, middles)) / sum(weights)

    @property
    def _ranges(self) -> list[Range]:
        return [getattr(each, name) for each, name in zip(self.recipe.synthesizers, self.names, strict=True)]


def _has(synthesizer: Synthesizer[Any], field: Field) -> bool:
    return _name(synthesizer, field) in type(synthesizer).model_fields


def _name(synthesizer: Synthesizer[Any], field: Field) -> str:
    return synthesizer.strength_name if field == "strength" else field


def _require_movable(recipe: str, synthesizer: Synthesizer[Any], field: Field, high: float) -> None:
    if field == "strength" and synthesizer.banks():
        raise InputError(
            f"recipe {recipe}: {synthesizer.method} takes stored images of a bank, whose strength was "
            "settled when they were made; leave the bank out, so that its model makes them anew"
        )
    if high == 0:
        name = _name(synthesizer, field)
        raise InputError(
            f"recipe {recipe}: {name}: [0, 0] of {synthesizer.method} stays 0 whatever it is multiplied by; "
            "give a range above 0"
        )


def _most(name: str, high: float) -> float:
    return max(BOUNDS[name][1], high)


def _moved(name: str, bounds: Range, factor: float) -> Range:
    low, high = (float(f"{bound * factor:.{DIGITS}g}") for bound in bounds)
    most = _most(name, bounds[1])
    return min(low, most), min(high, most)
