"""Commands stopped by each signal: one line, the shell's code, no process left, nothing half-written."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from tests.cli.helpers import COMMAND, RECIPE, Result, write_pictures

pytestmark = pytest.mark.timeout(300)

SECONDS = 100
STOPPED = r"^synthgen: stopped; run the same command again to go on$"

START = ["env", "--default-signal=INT,TERM,HUP", *COMMAND]


def wait_for(state: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + SECONDS
    while not state():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it did not come so far"
        time.sleep(0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures, and a recipe that takes long."""
    write_pictures(tmp_path / "good", 12)
    slow = RECIPE.replace("count: 6", "count: 100000").replace("_size: 3", "_size: 8")
    (tmp_path / "r.yaml").write_text(slow)
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts commands in sessions of their own; none outlives the test."""
    started = []

    def begin(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*START, *arguments],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def generating(folder: Path, start: Callable[..., "subprocess.Popen[str]"]) -> "subprocess.Popen[str]":
    process = start("generate", "r.yaml", "--workers", "2", "--out", "out")
    wait_for(lambda: list((folder / "out").glob("0*.json")), process)
    return process


def assert_stopped(process: "subprocess.Popen[str]", number: int) -> None:
    out, err = process.communicate(timeout=SECONDS)
    Result(process.returncode, out, err).assert_refused(STOPPED, code=128 + number)


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=SECONDS)
    assert alive == []


@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_stopped(
    number: signal.Signals, group: bool, folder: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    process = generating(folder, start)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    for _ in range(2):  # the second one comes while it cleans up
        (os.killpg if group else os.kill)(process.pid, number)
    assert_stopped(process, number)
    assert_gone(workers)
    assert [path.name for path in (folder / "out").iterdir() if path.name.startswith(".")] == []
    finished = len(list((folder / "out").glob("0*.json")))
    again = start("generate", "r.yaml", "--workers", "1", "--out", "out", "--shards", f"0-{finished}")
    _, err = again.communicate(timeout=SECONDS)
    assert (again.returncode, "shards are there already" in err) == (0, True), err


def test_workers_end_with_a_run_that_is_killed_and_the_next_one_goes_on(
    folder: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    process = generating(folder, start)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate(timeout=SECONDS)
    assert_gone(workers)
    assert (folder / "out/.lock").exists()
    again = start("generate", "r.yaml", "--workers", "1", "--out", "out", "--shards", "0-1")
    assert again.communicate(timeout=SECONDS)[0].endswith(" samples\n")
    assert [path.name for path in (folder / "out").iterdir() if path.name.startswith(".")] == []


SMALL = ["--weights", "random", "--set", "image_size=32", "--set", "channels=20"]

AT_A_CALL = """
import os, signal, sys
from synthgen.runtime.stopping import listen
listen()
def stop(frame, event, argument):
    if event == "call" and frame.f_code.co_name == NAME and frame.f_code.co_filename.endswith(FILE):
        sys.setprofile(None)
        os.kill(os.getpid(), NUMBER)
sys.setprofile(stop)
from synthgen.cli.__main__ import main
main()
"""
"""Sends the signal when a function is called: a state of the work, however slow the machine is."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("arguments", "file", "function"),
    [
        (["check", "r.yaml"], "sources/survey.py", "look_at_all"),
        (["init", "good", "--out", "new.yaml"], "recipe/template.py", "recipe_text"),
        (["generate", "r.yaml", "--out", "out"], "pipeline/freeze.py", "find_ground"),
        (["generate", "r.yaml", "--out", "out"], "engines/run.py", "_refuse_foreign"),
        (["detect", "fit", "padim", "good", "--out", "out", *SMALL], "evaluation/fit.py", "fit_on"),
        (["detect", "fit", "padim", "good", "--out", "out", *SMALL], "storage/whole_file.py", "write_whole"),
        (
            ["sdas", "train", "good", "--out", "out", "--size", "16", "--steps", "9", "--batch", "1"],
            "training/trainer.py",
            "update",
        ),
    ],
)
def test_a_command_that_is_stopped_at_some_place(
    number: signal.Signals, arguments: list[str], file: str, function: str, folder: Path
) -> None:
    code = AT_A_CALL.replace("NAME", repr(function)).replace("FILE", repr(file))
    process = subprocess.run(
        [*START[:2], sys.executable, "-c", code.replace("NUMBER", str(int(number))), *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    Result(process.returncode, process.stdout, process.stderr).assert_refused(STOPPED, code=128 + number)
    left = [path.name for path in folder.rglob("*")]
    assert [name for name in left if name.startswith(".")] == []
    assert "new.yaml" not in left
    assert "detector.json" not in left


@pytest.mark.parametrize("number", [2, 15])
def test_a_service_that_is_stopped_with_a_long_folder_for_temporary_files(
    number: int,
    folder: Path,
    start: Callable[..., "subprocess.Popen[str]"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "recipes").mkdir()
    (folder / "recipes/r.yaml").write_text(RECIPE.replace("path: good", f"path: {folder}/good"))
    long = folder / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setenv("SYNTHGEN_WORKERS", "1")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start("serve", "--recipes", "recipes", "--port", str(port), "--device", "cpu")

    def is_ready() -> bool:
        time.sleep(0.5)  # each question is a line in the log, and nobody reads that meanwhile
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    wait_for(is_ready, process)
    workers = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, number)
    assert_stopped(process, number)
    assert_gone(workers)
