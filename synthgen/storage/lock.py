"""Keeping apart what writes into one directory: locks of the system, which end with their process."""

import fcntl
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from synthgen.errors import TransientError

NAME = ".lock"
"""The file that is locked: empty, and gone with the last process that holds a part of it."""
WHOLE = range(1 << 40)
BEGINNING = range(WHOLE.stop, WHOLE.stop + 1)
"""A part beyond the work, held for as long as it takes to look at a directory and begin there."""


class Lock:
    """What is held of a directory: each byte of the lock file stands for a part of the work, such as a shard.

    Without a descriptor, and on a file system without locks, everything is given to everybody.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor

    def take(self, part: range) -> bool:
        """Hold a part to the end; False where another process holds some of it."""
        try:
            self._set(fcntl.F_OFD_SETLK, fcntl.F_WRLCK, part)
        except (BlockingIOError, PermissionError):
            return False
        return True

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """Be the only process that begins in the directory; waits where another one does."""
        self._set(fcntl.F_OFD_SETLKW, fcntl.F_WRLCK, BEGINNING)
        try:
            yield
        finally:
            self._set(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, BEGINNING)

    def _set(self, command: int, kind: int, part: range) -> None:
        if self._descriptor is None:
            return
        flock = struct.pack("hhqqi0q", kind, os.SEEK_SET, part.start, len(part), 0)
        try:
            fcntl.fcntl(self._descriptor, command, flock)
        except (BlockingIOError, PermissionError):
            raise
        except OSError:
            return  # a file system without locks


@contextmanager
def held(folder: Path, refusal: str, numbers: Sequence[int] | None = None) -> Iterator[Lock]:
    """Hold parts of the work in a directory of this machine, or the whole of it, until the end of the block.

    Raises TransientError with the ``refusal`` where another process holds one of them; OSError.
    """
    path = folder / NAME
    parts = [WHOLE] if numbers is None else list(_parts(numbers))
    while True:
        descriptor = _opened(path)
        lock = Lock(descriptor)
        try:
            with lock.beginning():
                if not _is_there(descriptor, path):
                    continue  # its last holder has just removed the file
                if not all(lock.take(part) for part in parts):
                    raise TransientError(refusal)
            yield lock
            return
        finally:
            _close(descriptor, lock, path)


def _close(descriptor: int, lock: Lock, path: Path) -> None:
    """Give everything back, and remove the file where nobody else holds a part of it or begins."""
    if lock.take(range(BEGINNING.stop)) and _is_there(descriptor, path):
        path.unlink()
    os.close(descriptor)


def _opened(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    with suppress(PermissionError):
        os.fchmod(descriptor, 0o666)  # for other users, should it outlive this process
    return descriptor


def _is_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _parts(numbers: Sequence[int]) -> Iterator[range]:
    """Ascending numbers as ranges, as few as there can be."""
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield range(first, last + 1)
            first = number
        last = number
    yield range(first, last + 1)
