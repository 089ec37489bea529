"""Tasks side by side: each is done once, failures are told, and no process outlives the work."""

import os
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from synthgen.engines.tasks import run_tasks
from synthgen.errors import InputError, RunError
from synthgen.storage.whole_file import is_alive


class Deed(NamedTuple):
    """What a worker is to do: write its process' number, and then something else."""

    file: Path
    then: str = ""


def do(deed: Deed) -> None:
    deed.file.write_text(str(os.getpid()))
    if deed.then == "fail":
        raise InputError("the third is wrong")
    if deed.then == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if deed.then == "sleep":
        time.sleep(60)


def deeds(folder: Path, *then: str) -> list[Deed]:
    return [Deed(folder / str(number), what) for number, what in enumerate(then)]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_task_is_done_once_in_as_many_processes(tmp_path: Path, workers: int) -> None:
    wanted = deeds(tmp_path, "", "", "", "")
    assert sorted(run_tasks(do, wanted, workers)) == wanted
    processes = {deed.file.read_text() for deed in wanted}
    assert len(processes) <= workers
    assert str(os.getpid()) not in processes


def test_nothing_to_do_is_done_at_once() -> None:
    assert list(run_tasks(do, [], 2)) == []


def test_what_a_task_raises_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^the third is wrong$"):
        list(run_tasks(do, deeds(tmp_path, "", "", "fail", ""), 1))
    assert not (tmp_path / "3").exists()


def test_a_process_that_dies_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="killed by signal 9"):
        list(run_tasks(do, deeds(tmp_path, "", "die", ""), 1))


def test_no_process_outlives_who_does_not_wait(tmp_path: Path) -> None:
    wanted = deeds(tmp_path, "", "sleep", "sleep")
    with closing(run_tasks(do, wanted, 2)) as news:
        next(news)
        deadline = time.monotonic() + 30
        while not all(deed.file.exists() and deed.file.read_text() for deed in wanted):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert not any(is_alive(int(deed.file.read_text())) for deed in wanted)
