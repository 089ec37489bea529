"""Lists in messages: the first of many, and how many there are beyond."""

from collections.abc import Sequence

MOST_LISTED = 10


def listed(lines: Sequence[str]) -> list[str]:
    """The first ten lines, and where there are more, how many."""
    more = [f"and {len(lines) - MOST_LISTED} more"] if len(lines) > MOST_LISTED else []
    return [*lines[:MOST_LISTED], *more]
