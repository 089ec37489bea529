"""What a path or URL stands for: ``~`` is the home folder, and what has no ``://`` is a path."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.errors import InputError

if TYPE_CHECKING:
    from fsspec.spec import AbstractFileSystem

LOCAL_SCHEMES = ("file://", "local://")


def local_path(path: str | Path) -> Path:
    """A path as a person writes it: ``~`` or ``~user`` at its beginning is that user's home folder.

    Where there is no such user, and in the middle of a path, ``~`` is a letter as any other.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path's own raises for a user that is not there


def is_url(place: str) -> bool:
    """Whether something is a URL; everything else is a path, ``::`` or not."""
    return "://" in place


def file_system(place: str) -> "tuple[AbstractFileSystem, str]":
    """The file system that a path or URL leads to, and the path there. Raises what fsspec raises."""
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    for scheme in LOCAL_SCHEMES:
        place = place.removeprefix(scheme)
    if is_url(place):
        return url_to_fs(place)
    # Absolute, because fsspec would take the beginnings of some names for schemes and home folders.
    return LocalFileSystem(), str(local_path(place).absolute())


def require_apart(out: str, source: str | None, what: str, *, all_below: bool = False) -> None:
    """Raise InputError where an output is the very folder that ``what`` is read from.

    With ``all_below`` also where it lies in it, for pictures that are written where all pictures are read.
    """
    if source is None:
        return
    there, place = _resolved(out), _resolved(source)
    if there == place or (all_below and there.startswith(f"{place}/")):
        where = "is" if there == place else "lies in"
        raise InputError(
            f"{out}: {where} the folder of {what}, and what is written there would be taken for a part of "
            "them; choose another --out"
        )


def _resolved(place: str) -> str:
    try:
        system, path = file_system(place)
    except (ImportError, ValueError) as error:
        raise InputError(f"{place}: cannot be opened ({error})") from error
    url = str(system.unstrip_protocol(path)).rstrip("/")
    return os.path.realpath(path) if url.startswith(LOCAL_SCHEMES) else url
