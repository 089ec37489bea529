"""Walking through the folders of any file system, past what is neither a file nor leads to a folder."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from synthgen.errors import InputError
from synthgen.storage.listing import Stray

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

MAX_LINKS = 10_000
"""Links to folders that are followed: folders that link to each other make ever more paths."""
NO_TEXT = "is not a UTF-8 name; rename it"


class Found(NamedTuple):
    """A file or folder, perhaps through a link; ``path`` is relative to the walk's root."""

    path: str
    is_folder: bool
    is_link: bool


class _Waiting(NamedTuple):
    """A folder that is still to be walked: where it really is, and the real folders of links on the way."""

    path: str
    real: str
    came_from: tuple[str, ...]


class Walk:
    """A walk below a root; hidden entries are left out, strays are kept.

    ``full`` gives the file system's own path of one that is relative to the root.
    """

    def __init__(self, system: "AbstractFileSystem", full: Callable[[str], str]) -> None:
        self._system, self._full = system, full
        self.strays: list[Stray] = []
        """What was passed over so far."""

    def files(self, folder: str) -> Iterator[str]:
        """The paths of all files below a folder. Raises where ``folder`` itself cannot be listed."""
        waiting = [_Waiting(folder, os.path.realpath(self._full(folder)), ())]
        links = 0
        while waiting:
            below = waiting.pop()
            for found in self.entries(folder) if below.path == folder else self._entries_if_open(below.path):
                if not found.is_folder:
                    yield found.path
                    continue
                real, came_from = f"{below.real}/{PurePosixPath(found.path).name}", below.came_from
                if found.is_link:
                    real, came_from = os.path.realpath(real), (*came_from, below.real)
                    if any(Path(folder).is_relative_to(real) for folder in came_from):
                        self._pass_over(found.path, "is a symbolic link to a folder around it")
                        continue
                    links += 1
                    if links > MAX_LINKS:
                        raise InputError(
                            f"{self._full(found.path)} is one of over {MAX_LINKS} links to folders; remove "
                            "those that lead to each other"
                        )
                waiting.append(_Waiting(found.path, real, came_from))

    def entries(self, folder: str) -> list[Found]:
        """The files and folders in a folder, links followed. Raises where it cannot be listed."""
        entries = []
        for info in self._system.ls(self._full(folder), detail=True):
            full = str(info["name"]).rstrip("/")
            name = full.rpartition("/")[2]
            path = f"{folder}/{name}" if folder else name
            if name.startswith(".") or full == self._full(folder):
                continue
            if not is_text(path):
                self._pass_over(path, NO_TEXT)
                continue
            is_link = bool(info.get("islink"))
            try:
                what = kind(self._system, full) if is_link else info["type"]
            except Exception as error:  # a link to itself, or to where nobody may look
                self._pass_over(path, f"cannot be read: {reason(error)}")
                continue
            if what in ("file", "directory"):
                entries.append(Found(path, what == "directory", is_link))
            elif what == "missing":
                self._pass_over(path, "is a symbolic link to nothing")
            else:
                self._pass_over(path, "is neither a file nor a folder")
        return entries

    def _entries_if_open(self, folder: str) -> list[Found]:
        try:
            return self.entries(folder)
        except Exception as error:  # remote file systems have errors of their own kinds
            self._pass_over(folder, f"cannot be read: {reason(error)}")
            return []

    def _pass_over(self, path: str, why: str) -> None:
        self.strays.append(Stray(escaped(path), why))


def kind(system: "AbstractFileSystem", full_path: str) -> str:
    """What is there, links followed: ``file``, ``directory``, ``missing`` or another word.

    fsspec's own isdir would hide that it may not be looked at, which is raised here.
    """
    try:
        return str(system.info(full_path)["type"])
    except (FileNotFoundError, NotADirectoryError):
        return "missing"


def reason(error: Exception) -> str:
    """The sentence of an error of any file system."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(f"{type(error).__name__} {error}".split())


def is_text(path: str) -> bool:
    """Whether a path could be written into a plan: bytes that are no UTF-8 are lone surrogates in Python."""
    return escaped(path) == path


def escaped(path: str) -> str:
    """A path as text."""
    return path.encode(errors="backslashreplace").decode()
