"""The one way to read below a path or any fsspec URL; every failure is one sentence."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import IO, cast

from synthgen.config.nearest import nearest_name
from synthgen.errors import InputError
from synthgen.images.decode import MAX_BYTES
from synthgen.storage.listing import OTHER_FORMATS, Listing, Stray
from synthgen.storage.walk import Walk, kind, reason

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp"),
    *(".pbm", ".pgm", ".ppm", ".pnm"),
)
LOOKED_FOR = (
    f"{', '.join(suffix[1:] for suffix in IMAGE_SUFFIXES[:-1])} and {IMAGE_SUFFIXES[-1][1:]} are looked for"
)
"""What a sentence says where there is no image."""


class Root:
    """A folder or file, local or remote; all paths given and returned are relative to it, with "/"."""

    def __init__(self, url: str, wanted: str = "the path or URL of your images") -> None:
        """``wanted`` is what an error says to give where nothing is there."""
        from fsspec.core import url_to_fs

        self.url, self._wanted = url, wanted
        with self._explained():
            self._system, path = url_to_fs(url)
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
        """The names of the root's own folders that may be looked into, sorted, without hidden ones."""
        return self.folders_and_strays()[0]

    def folders_and_strays(self) -> tuple[list[str], list[Stray]]:
        """The names of the root's own folders, as `folders`, and its own entries that are strays, sorted."""
        walk = self._walk()
        with self._explained():
            folders = sorted(found.path for found in walk.entries("") if found.is_folder)
        locked = [path for path in folders if self._is_locked(path)]
        strays = [*walk.strays, *(Stray(path, "cannot be read: permission denied") for path in locked)]
        return [path for path in folders if path not in locked], sorted(strays)

    def files(self, suffix: str | tuple[str, ...]) -> list[str]:
        """The names of the root's own files that end with ``suffix``, or one of them, sorted."""
        with self._explained():
            return sorted(
                found.path
                for found in self._walk().entries("")
                if found.path.endswith(suffix) and not found.is_folder
            )

    def images(self, folder: str = "") -> list[str]:
        """The paths of all files with an image's suffix below ``folder``, sorted, without hidden ones."""
        return self.listing(folder).images

    def listing(self, folder: str = "") -> Listing:
        """All images below ``folder``, and what is passed over there.

        Raises InputError where ``folder`` itself cannot be read.
        """
        walk = self._walk()
        with self._explained():
            paths = sorted(walk.files(folder))
        others = [path for path in paths if PurePosixPath(path).suffix.lower() in OTHER_FORMATS]
        return Listing(paths, [path for path in paths if is_image(path)], others, sorted(walk.strays))

    def glob(self, pattern: str) -> list[str]:
        """The paths that match a glob below the root, sorted."""
        with self._explained():
            found = cast(list[str], self._system.glob(self._full(pattern)))
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
            raise OSError(f"{path} cannot be read: {reason(error)}") from error

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
            raise OSError(f"{path} cannot be read: {reason(error)}") from error

    def _open(self, path: str) -> IO[bytes]:
        return cast(IO[bytes], self._system.open(self._full(path), "rb"))

    def _full(self, path: str) -> str:
        return f"{self._path}/{path}".rstrip("/") or str(self._system.root_marker)

    def _kind(self, full_path: str) -> str:
        return kind(self._system, full_path)

    def _walk(self) -> Walk:
        return Walk(self._system, self._full)

    def _is_locked(self, folder: str) -> bool:
        """Whether a folder of this machine may not be looked into."""
        local = self.local(folder)
        try:
            if local:
                os.scandir(local).close()
                os.stat(f"{local}/.")  # noqa: PTH116 - pathlib would drop the dot, which asks to enter
        except PermissionError:
            return True
        return False

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
            raise InputError(f"{_place(error) or place} cannot be read: {reason(error)}") from error


def root_of_file(url: str) -> tuple[Root, str]:
    """The folder that the file at a URL lies in, and the file's name in it."""
    folder, slash, name = url.rpartition("/")
    return Root(folder + slash or "."), name


def is_image(path: str) -> bool:
    """Whether a path ends with the suffix of a readable image format, in any case."""
    return PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES


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
