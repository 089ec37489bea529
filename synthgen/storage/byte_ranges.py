"""Pieces of a directory's files, read at random."""

import os
from typing import IO

from synthgen.runtime.bounded_cache import BoundedCache
from synthgen.storage.root import Root

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
        if path := self._root.local(name):
            data = os.pread(self._files.get(name, lambda: path.open("rb", buffering=0)).fileno(), size, start)
        else:
            data = self._root.piece(name, start, size)
        if len(data) != size:
            raise EOFError(f"the file ends before byte {start + size}")
        return data

    def _connect(self) -> None:
        self._process = os.getpid()
        self._root = Root(self._url)
        self._files: BoundedCache[IO[bytes]] = BoundedCache(MOST_OPEN, dropped=IO.close)
