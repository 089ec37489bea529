"""What a training leaves in a folder on its way: what it is, states to go on from, a log of its updates."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import torch
from pydantic import BaseModel, ValidationError

from synthgen.config.validation import first_fault
from synthgen.errors import InputError, RunError
from synthgen.storage.lock import held
from synthgen.storage.whole_file import remove_leftovers, sync_folder, writing_whole

LOG = "loss.csv"
STATES_KEPT = 2
STATES_IN_ALL = 20
"""How often a training saves its state; a long one does it more often."""
MOST_BETWEEN_STATES = 500


class Resumable(Protocol):
    """A training that can be set back to where it was."""

    def state(self) -> dict[str, Any]:
        """All that the next update depends on, for ``torch.save``."""

    def go_back(self, state: dict[str, Any]) -> None:
        """Set everything as it was when ``state`` was taken."""


class TrainingFolder:
    """The folder of one training. Every file in it is whole or not there.

    ``result`` is what is trained, a file or directory, by which messages name the training; ``columns`` are
    those of the log, after the update's number.
    """

    def __init__(self, result: Path, path: Path, columns: Sequence[str]) -> None:
        self.result = result
        self.path = path
        self._settings = self.path / "settings.json"
        self._log = self.path / LOG
        self._header = ",".join(["update", *columns]) + "\n"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other trainings out; a killed one keeps none. Raises TransientError where another one runs."""
        self.path.mkdir(parents=True, exist_ok=True)
        refusal = (
            f"{self.result}: another training is running there; wait for its end, or choose another --out"
        )
        with held(self.path, refusal):
            yield

    def begin(self, identity: BaseModel) -> None:
        """Begin a training, or see that it is the one that was begun here.

        ``identity`` is all that must be the same for it to go on. Raises InputError for another one, unless
        that has not come to its first state.
        """
        remove_leftovers(self.path)
        if self.states():
            self._require_equal(identity)
        else:
            with replacing(self._settings) as file:
                file.write((json.dumps(identity.model_dump(mode="json"), indent=1) + "\n").encode())
        self._cut_log()

    def states(self) -> list[int]:
        """The updates after which there is a state, in order."""
        numbers = (path.stem.removeprefix("state-") for path in self.path.glob("state-*.pt"))
        return sorted(int(number) for number in numbers if number.isdecimal())

    def save(self, training: Resumable, updates: int) -> None:
        """Write a state, and forget those before the last."""
        if self._log.exists():
            with self._log.open("rb") as log:
                os.fsync(log.fileno())
        with replacing(self._state(updates)) as file:
            torch.save(training.state(), file)
        for old in self.states()[:-STATES_KEPT]:
            self._state(old).unlink()

    def load(self, training: Resumable, updates: int) -> None:
        """Go back to a state. Raises InputError where the file is damaged."""
        path = self._state(updates)
        try:
            training.go_back(torch.load(path, map_location="cpu", weights_only=True))
        except Exception as error:  # unpickling raises whatever it stumbles over
            raise InputError(
                f"{path}: is damaged ({_reason(error)}); delete it, to go on from the state before"
            ) from error

    def log(self, number: int, values: Sequence[float]) -> None:
        """Add the line of one update to the log."""
        with self._log.open("a") as file:
            file.write(",".join([str(number), *map(repr, values)]) + "\n")

    def logged(self) -> list[list[float]]:
        """What was logged of each update, in order: its number, and the values."""
        lines = self._log.read_text().splitlines()[1:] if self._log.exists() else []
        return [[float(value) for value in line.split(",")] for line in lines]

    def _state(self, updates: int) -> Path:
        return self.path / f"state-{updates:07d}.pt"

    def _require_equal(self, identity: BaseModel) -> None:
        there = self._begun(type(identity)).model_dump()
        for field, asked in identity.model_dump().items():
            if there[field] != asked:
                raise InputError(
                    f"{self.result}: a training with {field} {there[field]} was begun there, and {asked} is "
                    "asked for; give the same to go on, or another --out"
                )

    def _begun(self, identity: type[BaseModel]) -> BaseModel:
        try:
            return identity.model_validate_json(self._settings.read_bytes())
        except (OSError, ValidationError, InputError) as error:
            raise InputError(
                f"{self._settings}: cannot be read ({_reason(error)}), so it is not known whose states lie "
                "beside it; restore it, or choose another --out"
            ) from error

    def _cut_log(self) -> None:
        """Forget what was logged after the last state, and a line that was not written to its end."""
        updates = self.states()[-1] if self.states() else 0
        lines = self._log.read_text(errors="replace").splitlines(keepends=True) if self._log.exists() else []
        columns = self._header.count(",") + 1
        kept = [line for line in lines[1:] if line.endswith("\n") and _number(line, columns) < updates]
        with replacing(self._log) as file:
            file.write("".join([self._header, *kept]).encode())


def is_state_due(done: int, updates: int) -> bool:
    """Whether a training of ``updates`` saves its state after ``done`` of them."""
    every = min(max(updates // STATES_IN_ALL, 1), MOST_BETWEEN_STATES)
    return done == updates or done % every == 0


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that appears under its name when it is whole. Raises RunError where that fails."""
    try:
        with writing_whole(path) as file:
            yield file
        sync_folder(path.parent)
    except (OSError, RuntimeError) as error:  # torch.save hides the disk's answer in a RuntimeError
        reason = _reason(error) if isinstance(error, OSError) else "the disk is full, or fails"
        raise RunError(
            f"{path}: cannot be written ({reason}); make room and run the same command again, which "
            "goes on from the last state"
        ) from error


def require_writable(result: Path, what: str) -> None:
    """Raise InputError where nothing can be written under the name of a training's result.

    ``what`` that is, in the words of the option ``--out``.
    """
    nearest = next(path for path in (result, *result.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise InputError(f"{nearest}: is a file; --out is {what}")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{nearest}: no permission to write there; choose another --out")


def _number(line: str, columns: int) -> float:
    """The update that a line of the log is about; infinite where it is none of ours."""
    values = line.split(",")
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return float("inf")
    return numbers[0] if len(numbers) == columns and values[0].isdecimal() else float("inf")


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(first_fault(error))
    return getattr(error, "strerror", None) or " ".join(str(error).split())[:100]
