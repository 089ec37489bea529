"""The one way to read below a path or any fsspec URL; every failure is one sentence."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from glob import escape
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import IO, Any, cast

from synthgen.config.nearest import nearest_name
from synthgen.errors import InputError
from synthgen.images.decode import MAX_BYTES
from synthgen.storage.place import file_system

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
LOOKED_FOR = (
    f"{', '.join(suffix[1:] for suffix in IMAGE_SUFFIXES[:-1])} and {IMAGE_SUFFIXES[-1][1:]} are looked for"
)
"""What a sentence says where there is no image."""


class Root:
    """A folder or file, local or remote; all paths given and returned are relative to it, with "/"."""

    def __init__(self, url: str, wanted: str = "the path or URL of your images") -> None:
        """``wanted`` is what an error says to give where nothing is there."""
        self.url, self._wanted = url, wanted
        with self._explained():
            self._system, path = file_system(url)
        self._path: str = path.rstrip("/")

    @property
    def name(self) -> str:
        """The last part of the path as a category's name: letters, digits, "_" and "-"."""
        name = normpath(self._path or "/").rpartition("/")[2]
        return re.sub(r"[^A-Za-z0-9_-]+", "_", name) or "images"

    def part(self, level: int) -> str:
        """The name of the folder itself (1), of that around it (2), and so on; empty where there is none."""
        parts = normpath(self._path or "/").split("/")
        return parts[-level] if level <= len(parts) else ""

    def above(self, level: int) -> "Root | None":
        """The folder so many levels above; None where there is none."""
        parent = normpath(self._path or "/")
        for _ in range(level):
            parent = parent.rpartition("/")[0]
        if not parent:
            return None
        above = copy(self)
        above._path = parent
        return above

    def is_folder(self, path: str = "") -> bool:
        """Whether there is a folder at ``path``."""
        with self._explained():
            return self._kind(self._full(path)) == "directory"

    def is_file(self, path: str = "") -> bool:
        """Whether there is a file at ``path``."""
        with self._explained():
            return self._kind(self._full(path)) == "file"

    def require_folder(self) -> None:
        """Raise InputError unless the root is a folder."""
        with self._explained():
            kind = self._system.info(self._full(""))["type"]
        if kind != "directory":
            raise InputError(f"{self.url} is a file; a folder with images is expected")

    def names(self) -> list[str]:
        """The names of all that the root itself holds, hidden ones too, sorted."""
        with self._explained():
            listing = cast(list[str], self._system.ls(self._full(""), detail=False))
        return sorted(path.rstrip("/").rpartition("/")[2] for path in listing)

    def folders(self) -> list[str]:
        """The names of the root's own folders, sorted; hidden ones are left out."""
        with self._explained():
            return sorted(path for path, info in self._listing("") if self._leads_to_folder(info))

    def files(self, suffix: str) -> list[str]:
        """The names of the root's own files that end with ``suffix``, sorted."""
        with self._explained():
            return sorted(
                path
                for path, info in self._listing("")
                if path.endswith(suffix) and not self._leads_to_folder(info)
            )

    def images(self, folder: str = "") -> list[str]:
        """The paths of all files with an image's suffix below ``folder``, sorted, without hidden ones."""
        with self._explained():
            return sorted(path for path in self._walk(folder) if is_image(path))

    def below(self) -> list[str]:
        """The paths of all files below the root, sorted, without hidden ones."""
        with self._explained():
            return sorted(self._walk(""))

    def glob(self, pattern: str) -> list[str]:
        """The paths that match a glob below the root, sorted."""
        whole = f"{escape(self._path)}/{pattern}"
        with self._explained():
            found = cast(list[str], self._system.glob(whole))
        return sorted(path[len(self._path) :].lstrip("/") for path in found)

    def size(self, path: str) -> int | None:
        """Bytes of a file; None where there is none."""
        with self._explained(path):
            try:
                return int(self._system.size(self._full(path)))
            except FileNotFoundError:
                return None

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading; close it after use."""
        with self._explained(path):
            return self._open(path)

    def content(self, path: str) -> bytes | None:
        """A whole file, however large, so one of our own; None where there is none."""
        with self._explained(path):
            try:
                return bytes(self._system.cat_file(self._full(path)))
            except FileNotFoundError:
                return None

    def piece(self, path: str, start: int, size: int) -> bytes:
        """The ``size`` bytes of a file from ``start``, fewer at its end, by one request. Raises OSError."""
        try:
            return bytes(self._system.cat_file(self._full(path), start=start, end=start + size))
        except Exception as error:  # remote file systems have errors of their own kinds
            raise OSError(f"{path} cannot be read: {_reason(error)}") from error

    def local(self, path: str) -> Path | None:
        """Where a file lies on this machine; None for a remote one."""
        from fsspec.implementations.local import LocalFileSystem

        return Path(self._full(path)) if isinstance(self._system, LocalFileSystem) else None

    def read(self, path: str, start: int = 0, limit: int = MAX_BYTES + 1) -> bytes:
        """The bytes of a file from ``start``, at most ``limit`` of them: decoding refuses an image cut there.

        Raises OSError with one sentence that names the relative path.
        """
        if path.startswith("/") or ".." in path.split("/"):
            raise OSError(f"{path} lies outside of the source")
        try:
            with self._open(path) as stream:
                stream.seek(start)
                return stream.read(limit)
        except Exception as error:  # remote file systems have errors of their own kinds
            raise OSError(f"{path} cannot be read: {_reason(error)}") from error

    def _open(self, path: str) -> IO[bytes]:
        return cast(IO[bytes], self._system.open(self._full(path), "rb"))

    def _full(self, path: str) -> str:
        return f"{self._path}/{path}".rstrip("/") or str(self._system.root_marker)

    def _walk(self, folder: str) -> Iterator[str]:
        waiting: list[tuple[str, tuple[str, ...]]] = [(folder, ())]
        while waiting:
            folder, came_from = waiting.pop()
            for path, info in self._listing(folder):
                if not self._leads_to_folder(info):
                    yield path
                elif info.get("islink"):
                    waiting.append((path, self._followed(path, came_from)))
                else:
                    waiting.append((path, came_from))

    def _followed(self, link: str, came_from: tuple[str, ...]) -> tuple[str, ...]:
        """The real folders in which links were followed; raises InputError where this link closes a loop."""
        full = self._full(link)
        folders = (*came_from, os.path.realpath(os.path.dirname(full)))  # noqa: PTH120
        target = os.path.realpath(full)
        if any(Path(folder).is_relative_to(target) for folder in folders):
            raise InputError(
                f"{link} in {self.url} is a symbolic link to a folder around it; remove the link"
            )
        return folders

    def _listing(self, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Paths and descriptions of what a folder holds, without hidden entries and special files."""
        for info in self._system.ls(self._full(folder), detail=True):
            name = str(info["name"]).rstrip("/").rpartition("/")[2]
            path = f"{folder}/{name}" if folder else name
            known = info["type"] in ("file", "directory") or info.get("islink")
            if known and not name.startswith(".") and str(info["name"]).rstrip("/") != self._full(folder):
                require_text(path, self.url)
                yield path, info

    def _leads_to_folder(self, info: dict[str, Any]) -> bool:
        kind = self._kind(info["name"]) if info.get("islink") else info["type"]
        return bool(kind == "directory")

    def _kind(self, full_path: str) -> str:
        """What is there, links followed; fsspec's isdir would hide that it may not be looked at."""
        try:
            return str(self._system.info(full_path)["type"])
        except (FileNotFoundError, NotADirectoryError):
            return "missing"

    @contextmanager
    def _explained(self, path: str = "") -> Iterator[None]:
        place = f"{self.url.rstrip('/')}/{path}" if path else self.url
        try:
            yield
        except InputError:
            raise
        except FileNotFoundError as error:
            raise InputError(f"{place} does not exist; give {self._wanted}") from error
        except Exception as error:  # remote file systems have errors of their own kinds
            raise InputError(f"{_place(error) or place} cannot be read: {_reason(error)}") from error


def root_of_file(url: str) -> tuple[Root, str]:
    """The folder that the file at a URL lies in, and the file's name in it."""
    folder, slash, name = url.rpartition("/")
    return Root(folder + slash or "."), name


def is_image(path: str) -> bool:
    """Whether a path ends with the suffix of a readable image format, in any case."""
    return PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES


def require_text(path: str, where: str) -> None:
    """Raise InputError where a name is not text, since it could not be written into a plan."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{path!a} in {where} is not a UTF-8 name; rename the file") from error


def chosen(wanted: Sequence[str] | None, known: Iterable[str], where: str) -> list[str]:
    """The wanted names, each once and sorted, or all known ones; InputError for a name that is not there."""
    names = sorted(known)
    for name in wanted or ():
        if name not in names:
            raise InputError(
                f"{where} has no category {name!r}, only {', '.join(names)}{nearest_name(name, names)}"
            )
    return names if wanted is None else sorted(set(wanted))


def _place(error: Exception) -> str | None:
    return error.filename if isinstance(error, OSError) and isinstance(error.filename, str) else None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, ImportError):  # the file system's own package is missing, and fsspec names it
        return str(error)
    return " ".join(f"{type(error).__name__} {error}".split())
