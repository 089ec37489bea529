"""The name that may have been meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of some names that is most like a name; None where none is near."""
    return next(iter(get_close_matches(name, list(names), n=1)), None)


def nearest_name(name: str, names: Iterable[str]) -> str:
    """``; did you mean X?``, or nothing where no name is near."""
    match = nearest(name, names)
    return f"; did you mean {match}?" if match else ""
