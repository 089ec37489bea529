"""How the worker processes of an engine end, and what is said of one that died."""

import signal
import time
from collections.abc import Iterable
from multiprocessing.process import BaseProcess

from synthgen.storage.whole_file import is_alive

STOP_SECONDS = 10


def end(processes: Iterable[BaseProcess]) -> None:
    """Kill the processes that have started, and wait until they are gone."""
    started = [process for process in processes if process.pid]
    for process in started:
        process.kill()
    for process in started:
        _wait_for_end(process)


def cause_of_death(process: BaseProcess) -> str:
    """Why a worker is gone that should be there, in a sentence."""
    process.join(STOP_SECONDS)
    code = process.exitcode or 0
    how = f"killed by signal {-code}" if code < 0 else f"stopped with code {code}"
    advice = "; the machine may be out of memory: try fewer --workers" if code == -signal.SIGKILL else ""
    return f"a worker was {how}{advice}; run the same command again, what is finished is kept"


def _wait_for_end(process: BaseProcess) -> None:
    """Wait for a killed process itself: `join` is content when the server that forked it is gone."""
    process.join(STOP_SECONDS)
    deadline = time.monotonic() + STOP_SECONDS
    while process.pid and is_alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
