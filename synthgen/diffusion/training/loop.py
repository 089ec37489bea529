"""Training from start to end: begin or go on, update, keep states, and write the model."""

import math
from collections.abc import Callable
from contextlib import nullcontext

import torch

from synthgen.diffusion.model_files import ModelFacts, write_model
from synthgen.diffusion.training.card import model_card
from synthgen.diffusion.training.directory import Identity, TrainingDirectory
from synthgen.diffusion.training.memory import too_large
from synthgen.diffusion.training.sample_grid import sample_grid
from synthgen.diffusion.training.trainer import Trainer, Update
from synthgen.errors import InputError, RunError
from synthgen.runtime.memory import is_out_of_memory
from synthgen.runtime.stopping import postponed
from synthgen.storage.training_folder import is_state_due

GRIDS_IN_ALL = 10
"""How often a training shows samples; a short one does it less often."""
LEAST_BETWEEN_GRIDS = 50

Report = Callable[[int, Update], None]


def train(trainer: Trainer, directory: TrainingDirectory, updates: int, report: Report) -> bool:
    """Train up to a number of updates, and write the model; False where that was done before.

    ``report`` gets the updates done and what the last one was like. Of several processes only the main one
    writes and reports. Raises TransientError where another training runs in the directory, InputError where
    one was begun there or went further, RunError where the batch does not fit in memory, the loss is no
    number any more, or the disk is full. After Ctrl-C or SIGTERM the state is saved, and KeyboardInterrupt
    is raised.
    """
    with directory.held() if trainer.accelerator.is_main_process else nullcontext():
        return _train(trainer, directory, updates, report)


def _train(trainer: Trainer, directory: TrainingDirectory, updates: int, report: Report) -> bool:
    identity = Identity.of(trainer)
    if trainer.accelerator.is_main_process:
        directory.begin(identity)
    trainer.accelerator.wait_for_everyone()
    done = max(directory.states(), default=0)
    if done > updates:
        raise InputError(
            f"{directory.model}: is trained for {done} updates already; give --steps {done} or more"
        )
    if done == updates and directory.is_finished(updates):
        return False
    if done:
        directory.load(trainer, done)
    _go_through(trainer, directory, range(done, updates), report)
    if trainer.accelerator.is_main_process:
        _write(trainer, directory, identity, updates)
    trainer.accelerator.wait_for_everyone()
    return True


def _go_through(trainer: Trainer, directory: TrainingDirectory, numbers: range, report: Report) -> None:
    grid_every = max(numbers.stop // GRIDS_IN_ALL, LEAST_BETWEEN_GRIDS)
    with postponed() as is_stop_asked:
        for number in numbers:
            update = _update(trainer, number)
            if not math.isfinite(update.loss):
                raise _diverged(number, directory)
            done, stopping = number + 1, _agreed(trainer, is_stop_asked())
            if trainer.accelerator.is_main_process:
                directory.log(number, update)
                report(done, update)
                if stopping or is_state_due(done, numbers.stop):
                    _save(trainer, directory, done)
                if done % grid_every == 0:
                    directory.show(done, sample_grid(trainer))
            if stopping:
                raise KeyboardInterrupt  # which gives way to the signal, in the process that it reached


def _update(trainer: Trainer, number: int) -> Update:
    try:
        return trainer.update(number)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    # Only here, after the error and all that it held in memory are gone.
    raise too_large(trainer)


def _save(trainer: Trainer, directory: TrainingDirectory, updates: int) -> None:
    if not trainer.is_finite():
        raise _diverged(updates - 1, directory)
    directory.save(trainer, updates)


def _agreed(trainer: Trainer, stopped: bool) -> bool:
    """Whether any process was asked to stop, so that all of them end after the same update."""
    if trainer.accelerator.num_processes == 1:
        return stopped
    asked = torch.tensor(float(stopped), device=trainer.accelerator.device)
    return float(trainer.accelerator.reduce(asked, "sum")) > 0


def _diverged(number: int, directory: TrainingDirectory) -> RunError:
    states = directory.states()
    kept = f"the state after {states[-1]} updates is kept" if states else "no state was saved yet"
    return RunError(
        f"{directory.model}: training stopped at update {number}, where the loss or the weights are not a "
        f"number; {kept}; begin again in another --out with a lower learning_rate or a longer warm_up"
    )


def _write(trainer: Trainer, directory: TrainingDirectory, identity: Identity, updates: int) -> None:
    settings = trainer.settings
    facts = ModelFacts(
        size=settings.size,
        channels=1 if trainer.images.channels == 1 else 3,
        packing=settings.packing,
        view=settings.view,
        image_size=settings.image_size if settings.view == "patch" else (settings.size, settings.size),
        categories=list(trainer.images.categories),
        trained_on=len(trainer.images.sha256s),
        training={**identity.model_dump(mode="json"), "updates": updates},
    )
    with trainer.average.shown_by(trainer.unet):
        write_model(directory.model, trainer.unet, trainer.scheduler, facts, model_card(facts, trainer.unet))
