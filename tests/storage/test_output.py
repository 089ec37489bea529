"""Output directories: files appear whole or not at all, on a disk and on other file systems."""

import os
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from synthgen.errors import InputError
from synthgen.storage.output import OutputDirectory
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


def test_a_scheme_that_nobody_knows_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"nosuch://x: cannot be opened"):
        OutputDirectory("nosuch://x")


def test_remote_files_arrive_by_their_final_name(tmp_path: Path) -> None:
    directory = OutputDirectory(f"memory://{tmp_path}/final")
    directory.create()
    directory.write("000000.tar", b"data")
    assert fsspec.filesystem("memory").cat_file(f"{tmp_path}/final/000000.tar") == b"data"
