"""A few of many, evenly spread."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most ``most`` of some items, evenly spread."""
    count = min(len(items), most)
    return [items[position * len(items) // count] for position in range(count)]
