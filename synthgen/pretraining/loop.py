"""Pre-training from start to end: begin or go on, update, keep states, and write the weights."""

import math
from collections.abc import Callable

from synthgen.errors import InputError, RunError
from synthgen.pretraining.collapse import LEAST, CollapseWatch, CopyWatch
from synthgen.pretraining.folder import PretrainingFolder
from synthgen.pretraining.record import (
    METADATA,
    RECONSTRUCTION,
    Identity,
    PretrainingRecord,
    read_record,
    write_record,
    write_weights,
)
from synthgen.pretraining.trainer import Trainer, Update
from synthgen.runtime.memory import is_out_of_memory, keep_freed_memory
from synthgen.runtime.stopping import postponed
from synthgen.runtime.versions import versions
from synthgen.storage.training_folder import is_state_due

Report = Callable[[int, Update], None]


def finished(folder: PretrainingFolder, identity: Identity) -> PretrainingRecord | None:
    """The record of this very training, where its weights are there. Raises InputError where others are."""
    if not folder.result.exists():
        return None
    record = read_record(folder.result)
    if record is None:
        raise InputError(f"{folder.result}: holds other weights; choose another --out, or remove it")
    there = record.model_dump()
    for field, asked in identity.model_dump().items():
        if there[field] != asked:
            raise InputError(
                f"{folder.result}: holds weights with {field} {there[field]}, and {asked} is asked for; "
                "choose another --out, or remove it"
            )
    return record


def tidy(folder: PretrainingFolder, record: PretrainingRecord) -> None:
    """Bring what lies beside finished weights to what it should be, whenever a process was killed."""
    write_record(folder.result, record)
    if folder.path.is_dir():
        with folder.held():
            folder.forget_states()


def train(trainer: Trainer, folder: PretrainingFolder, identity: Identity, report: Report) -> None:
    """Train, or go on, and write the weights, unless another process has written them by now.

    ``report`` gets the updates done and what the last one was like. Raises TransientError where another
    training runs there, InputError where another was begun, RunError where the batch does not fit in memory,
    the loss is no number any more, the outputs collapse, or the disk is full. After Ctrl-C or SIGTERM the
    state is saved, and KeyboardInterrupt is raised.
    """
    keep_freed_memory()
    with folder.held():
        if finished(folder, identity):
            return
        folder.begin(identity)
        done = max(folder.states(), default=0)
        if done:
            folder.load(trainer, done)
        _go_through(trainer, folder, range(done, trainer.settings.steps), report)
        _write(trainer, folder, identity)


def _go_through(trainer: Trainer, folder: PretrainingFolder, numbers: range, report: Report) -> None:
    watch, copies = CollapseWatch(numbers.stop), CopyWatch(numbers.stop)
    for row in folder.logged():
        before = Update(*row[1:])
        watch.is_collapsed(int(row[0]), before.spread)
        copies.are_missing(int(row[0]), before.changed)
    with postponed() as is_stop_asked:
        for number in numbers:
            update = _update(trainer, number)
            if not math.isfinite(update.loss):
                raise _diverged(number, folder)
            folder.log(number, update)
            if watch.is_collapsed(number, update.spread):
                raise _collapsed(trainer, number, update.spread)
            if trainer.settings.spd != "none" and copies.are_missing(number, update.changed):
                raise RunError(
                    f"none of the first {number + 1} updates had a copy with a defect that shows; give a "
                    "--recipe whose defects do, as `synthgen preview` shows them, or --spd none"
                )
            done, stopping = number + 1, is_stop_asked()
            report(done, update)
            if stopping or is_state_due(done, numbers.stop):
                if not trainer.is_finite():
                    raise _diverged(number, folder)
                folder.save(trainer, done)
                folder.draw()
            if stopping:
                raise KeyboardInterrupt  # which gives way to the signal, in the process that it reached


def _update(trainer: Trainer, number: int) -> Update:
    try:
        return trainer.update(number)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    # Only here, after the error and all that it held in memory are gone.
    settings = trainer.settings
    raise RunError(
        f"a batch of {settings.together} images at once does not fit in the memory of "
        f"{trainer.accelerator.device.type}; give a smaller --batch or --size, or a larger accumulate"
    )


def _diverged(number: int, folder: PretrainingFolder) -> RunError:
    return RunError(
        f"{folder.result}: training stopped at update {number}, where the loss or the weights are not a "
        "number; begin again in another --out with a lower learning_rate"
    )


def _collapsed(trainer: Trainer, number: int, spread: float) -> RunError:
    other = "simclr or moco" if trainer.settings.base == "simsiam" else "another base"
    return RunError(
        f"collapsed at update {number}: the network says nearly the same of every image (the spread of its "
        f"outputs is {spread:.2f}, and {LEAST} or more is expected); try {other}, a larger batch, or another "
        "learning_rate, in another --out"
    )


def _write(trainer: Trainer, folder: PretrainingFolder, identity: Identity) -> None:
    from safetensors.torch import save

    record = PretrainingRecord(
        **identity.model_dump(),
        pictures=trainer.settings.steps * trainer.pictures_an_update,
        note="" if trainer.settings.spd == "none" else RECONSTRUCTION,
        versions=versions(),
    )
    weights = save(trainer.weights(), {METADATA: record.model_dump_json()})
    write_record(folder.result, record)
    write_weights(folder.result, weights)
    folder.forget_states()
