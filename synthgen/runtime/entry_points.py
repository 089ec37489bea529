"""What other packages add to synthgen's tables, by their entry points."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from synthgen.errors import InputError

T = TypeVar("T")


def merged(
    own: dict[str, type[T]], group: str, base: type, name_of: Callable[[type[T]], str]
) -> dict[str, type[T]]:
    """A table of our own and the classes that installed packages add to it by an entry-point group.

    Raises InputError for an entry point that cannot be imported, that is no subclass of ``base``, whose name
    is not that of its class, or is taken already.
    """
    table = dict(own)
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        loaded = _loaded(point, base)
        if point.name != name_of(loaded):
            raise _unfit(point, f"is of a class that is called {name_of(loaded)}")
        if point.name in table:
            raise _unfit(point, "has a name that is taken already")
        table[point.name] = loaded
    return table


def _loaded(point: EntryPoint, base: type) -> type[Any]:
    try:
        loaded = point.load()
    except Exception as error:  # a stranger's module may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise _unfit(point, f"cannot be imported ({reason})") from error
    if not (isinstance(loaded, type) and issubclass(loaded, base)):
        raise _unfit(point, f"is {point.value}, which is no subclass of {base.__name__}")
    return loaded


def _unfit(point: EntryPoint, why: str) -> InputError:
    package = point.dist.name if point.dist else "an installed package"
    return InputError(
        f"{package}: its entry point {point.name} of {point.group} {why}; repair or uninstall the package"
    )
