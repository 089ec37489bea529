"""The directory that shards are written to, local or any fsspec URL; files appear whole or not at all."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socket import gethostname
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import IO

from synthgen.errors import InputError, TransientError
from synthgen.storage.lock import Lock, held
from synthgen.storage.place import file_system, local_path
from synthgen.storage.walk import reason
from synthgen.storage.whole_file import remove_leftovers, sync_folder, writing_whole

OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"}
"""Schemes, as fsspec calls them."""


class OutputDirectory:
    """Writes the files of one directory by name. Raises InputError where the directory cannot be used."""

    def __init__(self, url: str) -> None:
        from fsspec.implementations.local import LocalFileSystem

        self.url = url
        try:
            self._filesystem, self._path = file_system(url)
        except (ImportError, ValueError) as error:
            raise InputError(f"{url}: cannot be opened ({error})") from error
        self._folder = Path(self._path) if isinstance(self._filesystem, LocalFileSystem) else None

    def create(self) -> None:
        """Make the directory where it is not there, and see that files can be written to it."""
        try:
            with self._explaining_others():
                if not self._is_bucket():
                    self._filesystem.makedirs(self._path, exist_ok=True)
                self._try_writing()
        except FileExistsError as error:
            raise InputError(f"{self.url}: is a file; the output must be a directory") from error
        except PermissionError as error:
            raise InputError(f"{self.url}: no permission to write there; choose another --out") from error
        except OSError as error:
            if isinstance(error, FileNotFoundError) and self._is_bucket():
                raise InputError(f"{self.url}: there is no such bucket; make it, or correct --out") from error
            raise self._unusable(error) from error

    def _is_bucket(self) -> bool:
        """Whether there are no folders, only names: who makes one where there is none would make a bucket."""
        protocol = self._filesystem.protocol
        return not OBJECT_STORES.isdisjoint([protocol] if isinstance(protocol, str) else protocol)

    @contextmanager
    def _explaining_others(self) -> Iterator[None]:
        """Turn the errors that remote file systems have of their own kinds into one of the system's kind."""
        try:
            yield
        except OSError:
            raise
        except Exception as error:
            if self._folder:
                raise
            raise OSError(reason(error)) from error

    def _unusable(self, error: OSError) -> InputError:
        return InputError(f"{self.url}: cannot be written to ({error.strerror or error})")

    def _try_writing(self) -> None:
        if self._folder:
            with TemporaryFile(dir=self._folder):
                return
        name = f".writable.{gethostname()}.{os.getpid()}"
        self.write(name, b"")
        self._filesystem.rm_file(self._full(name))

    def sync(self) -> None:
        """See that the names of all files written so far are on the disk, as their contents are."""
        if self._folder:
            sync_folder(self._folder)

    def write(self, name: str, data: bytes) -> None:
        """Write a file."""
        with self.open_for_writing(name) as file:
            file.write(data)

    @contextmanager
    def open_for_writing(self, name: str) -> Iterator[IO[bytes]]:
        """Write a file piece by piece; it appears under its name when the block ends without an error."""
        if self._folder:
            with writing_whole(self._folder / name) as file:
                yield file
        else:
            with NamedTemporaryFile() as file:
                yield file
                file.flush()
                with self._explaining_others():
                    self._filesystem.put_file(file.name, self._full(name))

    @contextmanager
    def held(self, refusal: str, numbers: Sequence[int] | None = None) -> Iterator[Lock]:
        """Keep other processes from the same parts of the work, or from all of it; see `lock.held`.

        On another file system than this machine's nothing is kept apart: there, too, files appear whole.
        """
        if self._folder is None:
            yield Lock()
            return
        with ExitStack() as stack:
            try:
                lock = stack.enter_context(held(self._folder, refusal, numbers))
            except OSError as error:
                raise self._unusable(error) from error
            yield lock

    def remove_leftovers(self) -> None:
        """Remove what processes of this machine that are no longer alive left half-written."""
        if self._folder:
            remove_leftovers(self._folder)

    def _full(self, name: str) -> str:
        return f"{self._path.rstrip('/')}/{name}"


def write_file(path: str, data: bytes) -> None:
    """Write the one file that somebody named, whole or not at all; its folder is made where it is not there.

    Raises InputError where ``path`` is no place for a file, TransientError where writing it fails half-way.
    """
    try:
        target = local_path(path).resolve()
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
    """Turn what a disk may answer while files are written into one sentence."""
    import errno

    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise TransientError(
                f"{url}: no space left on the disk; free some and run the same command again, "
                "what is finished is kept"
            ) from error
        raise TransientError(f"{url}: writing failed ({error.strerror or error})") from error
