"""Output directories: files appear whole or not at all, on a disk and on other file systems."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from synthgen.errors import InputError, RunError, TransientError
from synthgen.storage.output import OutputDirectory, explained, write_file
from synthgen.storage.root import Root


@pytest.fixture(params=["local", "memory"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> OutputDirectory:
    url = str(tmp_path / "out") if request.param == "local" else f"memory://{tmp_path}/out"
    opened = OutputDirectory(url)
    opened.create()
    return opened


def test_what_is_written_is_read(directory: OutputDirectory) -> None:
    root = Root(directory.url)
    assert root.names() == []
    assert root.content("a.json") is None
    assert root.size("a.json") is None
    directory.write("a.json", b"first")
    directory.write("a.json", b"second")
    with directory.open_for_writing("b.tar") as file:
        file.write(b"x" * 1000)
        assert root.names() == ["a.json"] or root.names()[0].endswith(".partial")
        assert root.content("b.tar") is None
    directory.sync()
    assert root.names() == ["a.json", "b.tar"]
    assert root.content("a.json") == b"second"
    assert root.size("b.tar") == 1000


def test_an_error_while_writing_leaves_nothing(directory: OutputDirectory) -> None:
    with pytest.raises(KeyboardInterrupt), directory.open_for_writing("a.tar") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert Root(directory.url).names() == []


def test_leftovers_of_dead_processes_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    write = (
        "import os, sys; from synthgen.storage.output import OutputDirectory\n"
        "with OutputDirectory(sys.argv[1]).open_for_writing('dead.tar') as file: os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", write, str(tmp_path)], check=False)
    assert len(list(tmp_path.glob(".dead.tar.*.partial"))) == 1
    directory = OutputDirectory(str(tmp_path))
    with directory.open_for_writing("living.tar"):
        directory.remove_leftovers()
        assert [str(os.getpid()) in path.name for path in tmp_path.glob(".*.partial")] == [True]


class Bucket(MemoryFileSystem):
    """A file system that is an object store by its scheme, with errors of a kind of its own."""

    protocol = ("s3", "shaky")
    fails: ClassVar[Exception | None] = None

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        raise AssertionError("a bucket would be made")

    def put_file(self, lpath: str, rpath: str, **named: Any) -> None:
        if self.fails:
            raise self.fails
        self.store[rpath] = MemoryFile(self, rpath, Path(lpath).read_bytes())


class EndpointError(Exception):
    """What a library for a store raises, which is no OSError."""


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OutputDirectory:
    fsspec.register_implementation("shaky", Bucket, clobber=True)
    monkeypatch.setattr(Bucket, "fails", None)
    return OutputDirectory(f"shaky://{tmp_path}/out")


def test_an_object_store_has_no_folders_to_make(bucket: OutputDirectory) -> None:
    bucket.create()
    bucket.write("a.json", b"first")
    assert Root(bucket.url).content("a.json") == b"first"


@pytest.mark.parametrize(
    ("fails", "sentence"),
    [
        (EndpointError("could not connect"), "cannot be written to (EndpointError could not connect)"),
        (FileNotFoundError("NoSuchBucket"), "there is no such bucket; make it, or correct --out"),
        (PermissionError("AccessDenied"), "no permission to write there; choose another --out"),
    ],
)
def test_what_a_store_says_at_the_beginning_is_one_sentence(
    bucket: OutputDirectory, fails: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bucket, "fails", fails)
    with pytest.raises(InputError) as raised:
        bucket.create()
    assert str(raised.value) == f"{bucket.url}: {sentence}"


def test_what_a_store_says_later_is_one_sentence_and_may_be_tried_again(
    bucket: OutputDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.create()
    monkeypatch.setattr(Bucket, "fails", EndpointError("reset by peer"))
    with pytest.raises(TransientError) as raised, explained(bucket.url):
        bucket.write("a.json", b"first")
    assert str(raised.value) == f"{bucket.url}: writing failed (EndpointError reset by peer)"
    assert Root(bucket.url).content("a.json") is None


def test_a_scheme_that_nobody_knows_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"nosuch://x: cannot be opened"):
        OutputDirectory("nosuch://x")


def test_remote_files_arrive_by_their_final_name(tmp_path: Path) -> None:
    directory = OutputDirectory(f"memory://{tmp_path}/final")
    directory.create()
    directory.write("000000.tar", b"data")
    assert fsspec.filesystem("memory").cat_file(f"{tmp_path}/final/000000.tar") == b"data"


def test_one_file_is_written_whole_into_a_folder_that_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "plan.json"
    write_file(str(path), b"first")
    write_file(str(path), b"second")
    assert path.read_bytes() == b"second"
    assert [each.name for each in path.parent.iterdir()] == ["plan.json"]


def test_what_is_no_place_for_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not a file; choose another --out"):
        write_file(str(tmp_path), b"")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file: is a file; the output must be a directory"):
        write_file(str(tmp_path / "file" / "below"), b"")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(b"old")
    synced = os.fsync

    def full(descriptor: int) -> None:
        if os.fstat(descriptor).st_size:  # the trial of the folder is an empty file
            raise OSError(errno.ENOSPC, "No space left on device")
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"plan\.json: no space left on the disk"):
        write_file(str(path), b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["plan.json"]
