"""The directory that shards are written to, local or any fsspec URL; files appear whole or not at all."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from synthgen.errors import InputError, RunError

PARTIAL_SUFFIX = ".partial"


class OutputDirectory:
    """Files of one directory by name. Raises InputError where the directory cannot be used."""

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs
        from fsspec.implementations.local import LocalFileSystem

        self.url = url
        try:
            self.filesystem, self.path = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise InputError(f"{url}: cannot be opened ({error})") from error
        self._local = isinstance(self.filesystem, LocalFileSystem)

    def create(self) -> None:
        """Make the directory where it is not there, and see that files can be written to it."""
        try:
            self.filesystem.makedirs(self.path, exist_ok=True)
            self.write(".writable", b"")
            self.filesystem.rm_file(self._full(".writable"))
        except FileExistsError as error:
            raise InputError(f"{self.url}: is a file; the output must be a directory") from error
        except PermissionError as error:
            raise InputError(f"{self.url}: no permission to write there; choose another --out") from error
        except OSError as error:
            raise InputError(f"{self.url}: cannot be written to ({error.strerror or error})") from error

    def names(self) -> list[str]:
        """The names of all files, sorted; empty where there is no directory."""
        try:
            listing = self.filesystem.ls(self.path, detail=False)
        except FileNotFoundError:
            return []
        except NotADirectoryError as error:
            raise InputError(f"{self.url}: is a file; the output must be a directory") from error
        return sorted(path.rstrip("/").rpartition("/")[2] for path in listing)

    def size(self, name: str) -> int | None:
        """Bytes of a file; None where it is not there."""
        try:
            return int(self.filesystem.size(self._full(name)))
        except FileNotFoundError:
            return None

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None where it is not there."""
        try:
            return bytes(self.filesystem.cat_file(self._full(name)))
        except FileNotFoundError:
            return None

    def sync(self) -> None:
        """See that the names of all files written so far are on the disk, as their contents are."""
        if not self._local:
            return
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def write(self, name: str, data: bytes) -> None:
        """Write a file."""
        with self.open_for_writing(name) as file:
            file.write(data)

    @contextmanager
    def open_for_writing(self, name: str) -> Iterator[IO[bytes]]:
        """Write a file piece by piece; it appears under its name when the block ends without an error."""
        if self._local:
            folder, target = Path(self.path), self._full(name)
        else:
            import tempfile

            folder, target = Path(tempfile.gettempdir()), self._full(name)
        partial = folder / f".{name}.{socket.gethostname()}.{os.getpid()}{PARTIAL_SUFFIX}"
        try:
            with partial.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if self._local:
                partial.replace(target)
            else:
                self.filesystem.put_file(str(partial), target)
        finally:
            partial.unlink(missing_ok=True)

    def remove_leftovers(self) -> None:
        """Remove what processes of this machine that are no longer alive left half-written."""
        if not self._local:
            return
        ours = f".{socket.gethostname()}."
        for path in Path(self.path).glob(f".*{PARTIAL_SUFFIX}"):
            host_and_process = path.name.removesuffix(PARTIAL_SUFFIX)
            process = host_and_process.rpartition(".")[2]
            if ours in host_and_process and process.isdigit() and not _alive(int(process)):
                path.unlink(missing_ok=True)

    def _full(self, name: str) -> str:
        return f"{self.path.rstrip('/')}/{name}"


def write_file(path: str, data: bytes) -> None:
    """Write a file that a person named. Raises InputError where the path is no place for a file."""
    try:
        target = Path(path).resolve()
        if target.exists() and not target.is_file():
            raise InputError(f"{path}: is not a file; choose another --out")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    directory = OutputDirectory(str(target.parent))
    directory.create()
    with explained(path):
        directory.write(target.name, data)


def start_writing_back(file: IO[bytes], first: int, last: int) -> None:
    """Ask the system to bring bytes of a file to the disk already, so that the sync at its end is short."""
    if hasattr(os, "posix_fadvise"):
        file.flush()
        os.posix_fadvise(file.fileno(), first, last - first, os.POSIX_FADV_DONTNEED)


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn what a disk may answer while shards are written into one sentence."""
    import errno

    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(
                f"{url}: no space left on the disk; free some and run the same command again, "
                "finished shards are kept"
            ) from error
        raise RunError(f"{url}: writing failed ({error.strerror or error})") from error


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
