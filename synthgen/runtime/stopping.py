"""How a process is asked to stop: by Ctrl-C, SIGTERM, or the end of its terminal (SIGHUP)."""

import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """A signal asks the process to stop; whatever makes way for Ctrl-C makes way for it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.exit_code = 128 + number


def listen() -> None:
    """Raise Stopped in the main thread for each of the signals, but for those that are ignored (nohup)."""
    for number in _heard():
        signal.signal(number, _stop)


@contextmanager
def keeping_handlers() -> Iterator[None]:
    """Hear signals after the block as before it, though a library puts handlers of its own in place."""
    before = {int(number): signal.getsignal(number) for number in _heard()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore() -> None:
    """Leave it to another process what the signals mean."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def leave(stop: KeyboardInterrupt) -> NoReturn:
    """Exit as a process does that was stopped: one line, and 128 + the signal's number."""
    ignore()
    gc.freeze()  # what the system takes back at once need not be searched for first
    with suppress(OSError):  # of a terminal that is closed
        print("synthgen: stopped; run the same command again to go on", file=sys.stderr)
    sys.exit(stop.exit_code if isinstance(stop, Stopped) else 128 + signal.SIGINT)


@contextmanager
def postponed() -> Iterator[Callable[[], bool]]:
    """Let signals wait for the end of the block, which can ask whether one came; a second Ctrl-C does not.

    In another thread than the main one, which no signal reaches, nothing changes.
    """
    came: list[int] = []
    before = {int(number): signal.getsignal(number) for number in _heard()}

    def remember(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        if number == signal.SIGINT:
            signal.signal(number, before[number])

    for number in before:
        signal.signal(number, remember)
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _heard() -> list[signal.Signals]:
    """The signals that are not ignored, and whose handlers are Python's."""
    if threading.current_thread() is not threading.main_thread():
        return []
    return [number for number in SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)
