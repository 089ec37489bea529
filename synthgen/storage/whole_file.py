"""Files of this machine that appear whole or not at all: a temporary name, fsync, rename."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PARTIAL_SUFFIX = ".partial"
"""Of the temporary name, ``.NAME.HOST.PROCESS.partial``, which says whose file it is."""


@contextmanager
def writing_whole(path: Path) -> Iterator[IO[bytes]]:
    """Write a file piece by piece; it appears under its name when the block ends without an error.

    Raises OSError.
    """
    partial = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}{PARTIAL_SUFFIX}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file at once. Raises OSError."""
    with writing_whole(path) as file:
        file.write(data)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, at once. Raises OSError, and where it is there FileExistsError."""
    with path.open("xb") as file:
        try:
            file.write(data)
        except BaseException:
            path.unlink()
            raise


def sync_folder(folder: Path) -> None:
    """See that the names of all files written so far are on the disk, as their contents are."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove what processes of this machine that are no longer alive left half-written."""
    ours = f".{socket.gethostname()}."
    for path in folder.glob(f".*{PARTIAL_SUFFIX}"):
        host_and_process = path.name.removesuffix(PARTIAL_SUFFIX)
        process = host_and_process.rpartition(".")[2]
        if ours in host_and_process and process.isdigit() and not is_alive(int(process)):
            path.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process of this machine still does anything: one that only waits to be reaped does not."""
    try:
        os.kill(process, 0)
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except ProcessLookupError:
        return False
    except OSError:  # of another user, or where there is no /proc
        return True
