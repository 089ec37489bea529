"""Trainings in processes of their own, which are killed, or kill themselves where it would hurt most."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import IO, Any

import pytest
import torch

from synthgen.cli.main import main
from synthgen.diffusion.training.directory import TrainingDirectory
from synthgen.diffusion.training.trainer import Update
from synthgen.storage import training_folder

KILLED = -signal.SIGKILL

Sabotage = Callable[[pytest.MonkeyPatch], None]


def start(arguments: list[str], sabotage: Sabotage | None = None, **environment: str) -> BaseProcess:
    """Run `synthgen` in a fork of this process, which spares it the imports."""

    def run() -> None:
        os.environ.update(environment)
        with pytest.MonkeyPatch.context() as patch:
            if sabotage:
                sabotage(patch)
            main(arguments)

    process = multiprocessing.get_context("fork").Process(target=run, daemon=True)
    process.start()
    return process


def exit_code(process: BaseProcess) -> int | None:
    """Of a process that ends within a minute."""
    process.join(60)
    return process.exitcode


def in_the_middle_of_a_state(patch: pytest.MonkeyPatch) -> None:
    """The second time that one is saved."""
    whole, count = torch.save, _counter(2)

    def save(state: object, file: IO[bytes]) -> None:
        if count():
            file.write(b"half of a state")
            file.flush()
            _die()
        whole(state, file)

    patch.setattr(torch, "save", save)


def in_the_middle_of_a_line(patch: pytest.MonkeyPatch) -> None:
    """The third time that the loss is logged."""
    whole, count = TrainingDirectory.log, _counter(3)

    def log(directory: TrainingDirectory, number: int, update: Update) -> None:
        if count():
            with (directory.path / "loss.csv").open("a") as file:
                file.write(f"{number},0.12")
            _die()
        whole(directory, number, update)

    patch.setattr(TrainingDirectory, "log", log)


def before_a_state_has_its_name(patch: pytest.MonkeyPatch) -> None:
    """When it is written, and the system knows its contents."""
    _die_at(patch, Path, "replace", lambda path, *_: path.name.startswith(".state-"))


def before_an_old_state_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """When a newer one has its name."""
    _die_at(patch, Path, "unlink", lambda path, *_: path.name.startswith("state-"))


def before_the_settings_are_there(patch: pytest.MonkeyPatch) -> None:
    """When nothing else is."""
    _die_at(patch, Path, "replace", lambda path, *_: "settings" in path.name)


def in_the_middle_of_the_model(patch: pytest.MonkeyPatch) -> None:
    """When its network is written and its scheduler is not."""
    _die_at(patch, Path, "rename", lambda path, *_: path.name == "scheduler")


def while_names_are_synced(patch: pytest.MonkeyPatch) -> None:
    """The fourth time."""
    count = _counter(4)
    _die_at(patch, training_folder, "sync_folder", lambda *_: count())


def after_calls(count: int) -> Sabotage:
    """Wherever it is when it has called so many functions: a clock that no other process makes slower."""

    def sabotage(_: pytest.MonkeyPatch) -> None:
        calls = 0

        def notice(_frame: FrameType, event: str, _argument: object) -> None:
            nonlocal calls
            calls += event == "call"
            if calls == count:
                _die()

        sys.setprofile(notice)

    return sabotage


def _die_at(patch: pytest.MonkeyPatch, owner: Any, name: str, is_time: Callable[..., bool]) -> None:
    whole = getattr(owner, name)

    def deadly(*arguments: Any, **options: Any) -> Any:
        if is_time(*arguments):
            _die()
        return whole(*arguments, **options)

    patch.setattr(owner, name, deadly)


def _counter(wanted: int) -> Callable[[], bool]:
    calls = iter(range(1, wanted + 10_000))
    return lambda: next(calls) == wanted


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def ended(*processes: BaseProcess) -> Iterator[None]:
    """See that none outlives the test."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()
