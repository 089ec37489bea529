"""What a training leaves on the disk: its identity, states to go on from, the log of the loss, pictures."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

import torch
from pydantic import ValidationError

from synthgen.config.validation import first_fault
from synthgen.diffusion.model_files import FACTS, read_facts
from synthgen.diffusion.training.settings import TrainingSettings
from synthgen.diffusion.training.trainer import Trainer, Update
from synthgen.errors import InputError, RunError
from synthgen.images import png
from synthgen.images.own import marked
from synthgen.images.pixels import Pixels
from synthgen.storage.whole_file import remove_leftovers, sync_folder, writing_whole

FOLDER = "training"
STATES_KEPT = 2
LOG_HEADER = "update,loss,gradient_norm\n"


class Identity(TrainingSettings):
    """All that must be the same for a training to go on."""

    images: str
    """How many, and a hash over all of them."""
    first_weights: str
    """A hash over the files, or random."""
    processes: int
    """Each draws its own batches."""

    @classmethod
    def of(cls, trainer: Trainer) -> "Identity":
        """The identity of a training."""
        sha256s = trainer.images.sha256s
        digest = sha256("".join(sha256s).encode()).hexdigest()
        return cls(
            **trainer.settings.model_dump(),
            images=f"{len(sha256s)} images, sha256 {digest[:16]}",
            first_weights=trainer.first_weights.digest if trainer.first_weights else "random",
            processes=trainer.accelerator.num_processes,
        )


class TrainingDirectory:
    """The folder ``training`` inside of a model's directory. Every file in it is whole or not there."""

    def __init__(self, model: Path) -> None:
        self.model = model
        self.path = model / FOLDER
        self._settings = self.path / "settings.json"
        self._log = self.path / "loss.csv"

    def require_usable(self) -> None:
        """Raises InputError where a training cannot be written, or something else is there."""
        nearest = next(path for path in (self.model, *self.model.absolute().parents) if path.exists())
        if not nearest.is_dir():
            raise InputError(f"{nearest}: is a file; --out is the directory of the model")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise InputError(f"{nearest}: no permission to write there; choose another --out")
        there = sorted(path.name for path in self.model.iterdir()) if self.model.is_dir() else []
        if there and FOLDER not in there:
            what = "a model without its training" if FACTS in there else f"no training, but {there[0]}"
            raise InputError(f"{self.model}: holds {what}; choose another --out, or an empty one")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other trainings out; a killed one keeps none. Raises InputError where another one runs."""
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def begin(self, identity: Identity) -> None:
        """Begin a training, or see that it is the one that was begun here.

        Raises InputError for another one, unless that has not come to its first state.
        """
        remove_leftovers(self.path)
        if self.states():
            self._require_equal(identity)
        else:
            with _replacing(self._settings) as file:
                file.write((json.dumps(identity.model_dump(mode="json"), indent=1) + "\n").encode())
        self._cut_log()

    def states(self) -> list[int]:
        """The updates after which there is a state, in order."""
        numbers = (path.stem.removeprefix("state-") for path in self.path.glob("state-*.pt"))
        return sorted(int(number) for number in numbers if number.isdecimal())

    def save(self, trainer: Trainer, updates: int) -> None:
        """Write a state, and forget those before the last."""
        if self._log.exists():
            with self._log.open("rb") as log:
                os.fsync(log.fileno())
        with _replacing(self._state(updates)) as file:
            torch.save(trainer.state(), file)
        for old in self.states()[:-STATES_KEPT]:
            self._state(old).unlink()

    def load(self, trainer: Trainer, updates: int) -> None:
        """Go back to a state. Raises InputError where the file is damaged."""
        path = self._state(updates)
        try:
            trainer.go_back(torch.load(path, map_location="cpu", weights_only=True))
        except Exception as error:  # unpickling raises whatever it stumbles over
            raise InputError(
                f"{path}: is damaged ({_reason(error)}); delete it, to go on from the state before"
            ) from error

    def log(self, number: int, update: Update) -> None:
        """Add the line of one update to the log."""
        with self._log.open("a") as file:
            file.write(f"{number},{update.loss!r},{update.gradient_norm!r}\n")

    def show(self, updates: int, picture: Pixels) -> None:
        """Write a picture of how far the training has come, (H, W, C) uint8."""
        with _replacing(self.path / f"samples-{updates:07d}.png") as file:
            file.write(marked(png.encode(picture)))

    def is_finished(self, updates: int) -> bool:
        """Whether the model beside the folder is that of the given number of updates."""
        return (self.model / FACTS).is_file() and read_facts(self.model).training.get("updates") == updates

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"{self.model}: another training is running there; wait for its end, or choose another --out"
            ) from error
        except OSError:
            return  # a file system without locks

    def _state(self, updates: int) -> Path:
        return self.path / f"state-{updates:07d}.pt"

    def _require_equal(self, identity: Identity) -> None:
        there = self._begun().model_dump()
        for field, asked in identity.model_dump().items():
            if there[field] != asked:
                raise InputError(
                    f"{self.model}: a training with {field} {there[field]} was begun there, and {asked} is "
                    "asked for; give the same to go on, or another --out"
                )

    def _begun(self) -> Identity:
        try:
            return Identity.model_validate_json(self._settings.read_bytes())
        except (OSError, ValidationError, InputError) as error:
            raise InputError(
                f"{self._settings}: cannot be read ({_reason(error)}), so it is not known whose states lie "
                "beside it; restore it, or choose another --out"
            ) from error

    def _cut_log(self) -> None:
        """Forget what was logged after the last state, and a line that was not written to its end."""
        updates = self.states()[-1] if self.states() else 0
        lines = self._log.read_text(errors="replace").splitlines(keepends=True) if self._log.exists() else []
        kept = [line for line in lines[1:] if line.endswith("\n") and _number(line) < updates]
        with _replacing(self._log) as file:
            file.write("".join([LOG_HEADER, *kept]).encode())


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
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


def _number(line: str) -> float:
    """The update that a line of the log is about; infinite where it says none."""
    first = line.partition(",")[0]
    return int(first) if first.isdecimal() else float("inf")


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(first_fault(error))
    return getattr(error, "strerror", None) or " ".join(str(error).split())[:100]
