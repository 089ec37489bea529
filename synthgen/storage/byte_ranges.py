"""Pieces of a directory's files, read at random."""

import os
from collections import OrderedDict
from pathlib import Path
from typing import IO

from synthgen.storage.output import OutputDirectory

MOST_OPEN = 64
"""Local files that stay open at a time."""


class ByteRanges:
    """Reads pieces of the files of a directory, a path or any fsspec URL; for one thread, through forks."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connect()

    def read(self, name: str, start: int, size: int) -> bytes:
        """Exactly ``size`` bytes of a file from ``start``. Raises EOFError where the file ends before."""
        if self._process != os.getpid():
            self._connect()  # the connections of a remote file system do not survive a fork
        if self._local:
            data = os.pread(self._opened(name).fileno(), size, start)
        else:
            data = self._filesystem.cat_file(f"{self._path}/{name}", start=start, end=start + size)
        if len(data) != size:
            raise EOFError(f"the file ends before byte {start + size}")
        return data

    def _connect(self) -> None:
        from fsspec.implementations.local import LocalFileSystem

        directory = OutputDirectory(self._url)
        self._process = os.getpid()
        self._filesystem, self._path = directory.filesystem, directory.path
        self._local = isinstance(self._filesystem, LocalFileSystem)
        self._files: OrderedDict[str, IO[bytes]] = OrderedDict()

    def _opened(self, name: str) -> IO[bytes]:
        if name in self._files:
            self._files.move_to_end(name)
            return self._files[name]
        while len(self._files) >= MOST_OPEN:
            self._files.popitem(last=False)[1].close()
        self._files[name] = Path(self._path, name).open("rb", buffering=0)  # noqa: SIM115
        return self._files[name]
