"""Training a diffusion model on the normal images of a source, into a directory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.diffusion.training.settings import TrainingSettings
from synthgen.diffusion.updates import DEFAULT_UPDATES
from synthgen.errors import InputError
from synthgen.runtime.devices import require_device
from synthgen.runtime.extras import require_extra
from synthgen.runtime.progress import Stages, silent
from synthgen.sources.base import Source
from synthgen.sources.folder import FolderSource
from synthgen.sources.named import named_source
from synthgen.storage.place import is_url, local_path, require_apart

if TYPE_CHECKING:
    from synthgen.diffusion.training.trainer import Update
    from synthgen.sources.records import RejectedFile


@dataclass(frozen=True)
class Training:
    """What a training is of."""

    images: int
    """How many images are trained on."""
    rejected: "Sequence[RejectedFile]"
    """The source's files that cannot be used."""
    notes: "Sequence[str]"
    """What a person should know of its other files, a sentence each."""
    updates: int
    """How many updates there are to be in all."""
    keeps_classes: bool
    """Whether the class embedding begins with the first weights, too."""
    is_main: bool
    """Whether this is the one process, of several, that writes and reports."""
    was_finished: bool = False
    """Whether it had come to its end before."""


Observer = Callable[[Training, int, "Update | None"], None]
"""Called with the training, the updates done, and what the last one was like; at first without one."""


def train_diffusion(
    source: str | Path | Source,
    out: str | Path,
    settings: TrainingSettings | None = None,
    *,
    steps: int = DEFAULT_UPDATES,
    categories: Sequence[str] | None = None,
    init_from: str | None = None,
    device: str = "auto",
    progress: Stages = silent,
    observer: Observer | None = None,
) -> Training:
    """Train a diffusion model, or go on with a training where it was stopped, and write the model to ``out``.

    ``source`` is a folder or URL of normal images, ``builtin``, or a source; held-out images stay unseen.
    ``init_from`` is a diffusers model to begin with, in place of random weights. ``observer`` is called by
    the main process alone. Raises InputError for what cannot be used, RunError where the training fails;
    after Ctrl-C the state is saved, and KeyboardInterrupt is raised; after SIGTERM it is saved, too.
    """
    require_extra("sdas", "training a diffusion model")
    from synthgen.diffusion.training.directory import TrainingDirectory
    from synthgen.diffusion.training.first_weights import find_first_weights
    from synthgen.diffusion.training.images import read_images
    from synthgen.diffusion.training.loop import train
    from synthgen.diffusion.training.trainer import Trainer
    from synthgen.runtime.acceleration import accelerator as new_accelerator

    settings = settings or TrainingSettings()
    require_device(device)
    chosen = source if isinstance(source, Source) else named_source(str(source), categories)
    directory = TrainingDirectory(_local(str(out)))
    directory.require_usable()
    require_apart(str(out), chosen.location, "the normal images", all_below=isinstance(chosen, FolderSource))
    first_weights = find_first_weights(init_from) if init_from else None
    accelerator = new_accelerator(device, settings.precision, settings.accumulate)
    is_main = accelerator.is_main_process
    with (progress if is_main else silent)("reading", "images") as report:
        images = read_images(chosen, settings, report)
    trainer = Trainer(images, settings, accelerator, first_weights)
    training = Training(
        len(images.sha256s), images.rejected, images.notes, steps, trainer.keeps_classes, is_main
    )
    if observer and is_main:
        observer(training, 0, None)
    trained = train(
        trainer, directory, steps, lambda done, update: observer(training, done, update) if observer else None
    )
    # In this order: a network that is freed after the group of its processes can wait for it for ever.
    del trainer
    accelerator.free_memory()
    accelerator.end_training()
    return replace(training, was_finished=not trained)


def _local(out: str) -> Path:
    if is_url(out):
        raise InputError(f"{out}: is a URL; a model is trained into a directory of this machine")
    return local_path(out)
