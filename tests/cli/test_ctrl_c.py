"""Ctrl-C, at any moment, is one line and exit code 130."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.cli.helpers import COMMAND, HEARS_CTRL_C, RECIPE, Result, Run, process, sums


def test_ctrl_c_stops_cleanly_and_the_next_run_goes_on(here: Path, run: Run) -> None:
    (here / "r.yaml").write_text(
        RECIPE.replace("count: 6", "count: 600").replace("cutpaste", "nsa").replace("_size: 3", "_size: 20")
    )
    generate = ("generate", "r.yaml", "--workers", "2", "--out")
    stopped = subprocess.Popen(
        [*HEARS_CTRL_C, *COMMAND, *generate, "out"],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list((here / "out").glob("0*.json")) and stopped.poll() is None:
        time.sleep(0.005)
    os.killpg(stopped.pid, signal.SIGINT)
    out, err = stopped.communicate(timeout=30)
    Result(stopped.returncode, out, err).assert_refused("stopped; run the same command again", code=130)
    assert out == ""
    left = sorted(file.name for file in (here / "out").iterdir())
    assert not [name for name in left if name.startswith(".")]
    assert 1 <= sum(name.endswith(".tar") for name in left) < 30
    for name in ("out", "undisturbed"):
        assert run(*generate, name).code == 0
    assert sums(here / "out") == sums(here / "undisturbed")


def test_ctrl_c_while_the_workers_still_import_is_one_line(here: Path) -> None:
    command = [*HEARS_CTRL_C, *COMMAND, "generate", "perlin-texture", "--out", "out"]
    stopped = subprocess.Popen(
        command,
        cwd=here,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not psutil.Process(stopped.pid).children() and stopped.poll() is None:
        time.sleep(0.005)
    time.sleep(0.3)  # the imports take more, on any machine
    os.killpg(stopped.pid, signal.SIGINT)
    _, err = stopped.communicate(timeout=30)
    assert stopped.returncode == 130
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1] == "synthgen: stopped; run the same command again to go on"


CTRL_C_AT_AN_IMPORT = """
import os, runpy, signal, sys

class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == MODULE:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process would ignore it
sys.meta_path.insert(0, CtrlC())
runpy.run_module("synthgen.cli", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    "module", ["synthgen.cli.main", "argparse", "synthgen.cli.arguments", "synthgen.recipe.files", "numpy"]
)
def test_ctrl_c_is_one_line_from_the_first_import_on(module: str, here: Path) -> None:
    code = CTRL_C_AT_AN_IMPORT.replace("MODULE", repr(module))
    stopped = process("check", "r.yaml", cwd=here, command=[sys.executable, "-c", code])
    Result(stopped.returncode, stopped.stdout, stopped.stderr).assert_refused("stopped; run", code=130)
    assert len(stopped.stderr.splitlines()) == 1
