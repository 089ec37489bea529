"""What other packages add to synthgen's tables, by their entry points."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from synthgen.errors import InputError

T = TypeVar("T")


def offered(group: str, base: type) -> dict[str, type[Any]]:
    """The classes that installed packages offer in an entry-point group, by their names, sorted.

    Raises InputError for one that cannot be imported, or that is no subclass of ``base``.
    """
    points = sorted(entry_points(group=group), key=lambda point: point.name)
    return {point.name: _loaded(point, base) for point in points}


def merged(own: dict[str, type[T]], group: str, base: type) -> dict[str, type[T]]:
    """A table of our own and what other packages add to it.

    Raises InputError as `offered` does, and for a name that stands in the table already.
    """
    others = offered(group, base)
    for name in others.keys() & own.keys():
        raise InputError(
            f"the entry point {name} of {group} has the name of one of synthgen's own; give it another name"
        )
    return own | others


def _loaded(point: EntryPoint, base: type) -> type[Any]:
    package = point.dist.name if point.dist else "an installed package"
    try:
        loaded = point.load()
    except Exception as error:  # a stranger's module may raise anything
        raise InputError(
            f"{package}: its entry point {point.name} of {point.group} cannot be imported "
            f"({type(error).__name__}: {error}); repair or uninstall the package"
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, base)):
        raise InputError(
            f"{package}: its entry point {point.name} of {point.group} is {point.value}, which is no "
            f"subclass of {base.__name__}; repair or uninstall the package"
        )
    return loaded
