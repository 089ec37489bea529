"""Pre-training a backbone on the good products of a source, into a file of weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.errors import InputError
from synthgen.recipe.files import load_recipe
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.devices import require_device
from synthgen.runtime.extras import require_extra
from synthgen.runtime.progress import Stages, silent
from synthgen.sources.base import Source
from synthgen.sources.named import named_source

if TYPE_CHECKING:
    from synthgen.pretraining.settings import PretrainingSettings
    from synthgen.pretraining.trainer import Update
    from synthgen.sources.records import RejectedFile

DEFAULT_RECIPE = "smoothblend"


@dataclass(frozen=True)
class Pretraining:
    """What a pre-training is of."""

    images: int
    """How many images are trained on."""
    rejected: "Sequence[RejectedFile]"
    """The source's files that cannot be used."""
    notes: Sequence[str]
    """What a person should know of its other files, a sentence each."""
    updates: int
    """How many updates there are to be in all."""
    was_finished: bool = False
    """Whether it had come to its end before."""


Observer = Callable[[Pretraining, int, "Update | None"], None]
"""Called with the training, the updates done, and what the last one was like; at first without one."""


def pretrain(
    source: str | Path | Source,
    out: str | Path,
    settings: "PretrainingSettings | None" = None,
    *,
    recipe: str | Path | Recipe = DEFAULT_RECIPE,
    categories: Sequence[str] | None = None,
    device: str = "auto",
    progress: Stages = silent,
    observer: Observer | None = None,
) -> Pretraining:
    """Pre-train a backbone, or go on where that was stopped, and write its weights to the file ``out``.

    ``source`` is a folder or URL of normal images, ``builtin``, or a source; held-out images stay unseen.
    ``recipe`` makes the changed copies that SPD's term tells the images from. The term is a reconstruction of
    SPD (Zou et al., ECCV 2022), whose equation is not public. Raises InputError for what cannot be used,
    RunError where the training fails or collapses; after Ctrl-C or SIGTERM the state is saved, and
    KeyboardInterrupt is raised.
    """
    require_extra("pretraining", "pre-training")
    from synthgen.pretraining.folder import PretrainingFolder, identity_of, weights_path
    from synthgen.pretraining.images import read_images
    from synthgen.pretraining.loop import finished, tidy, train
    from synthgen.pretraining.settings import PretrainingSettings
    from synthgen.pretraining.trainer import Trainer
    from synthgen.runtime.acceleration import accelerator as new_accelerator
    from synthgen.storage.whole_file import remove_leftovers

    settings = settings or PretrainingSettings()
    require_device(device)
    folder = PretrainingFolder(weights_path(str(out)))
    chosen = source if isinstance(source, Source) else named_source(str(source), categories)
    made_by = recipe if isinstance(recipe, Recipe) else load_recipe(str(recipe))
    accelerator = new_accelerator(device, settings.precision)
    if accelerator.num_processes > 1:
        raise InputError(
            f"pre-training runs in one process, and {accelerator.num_processes} were started; start it "
            "without accelerate launch"
        )
    images = read_images(chosen, made_by, settings, progress, accelerator.device.type)
    training = Pretraining(images.count, images.plan.rejected, images.plan.notes, settings.steps)
    identity = identity_of(images, settings, accelerator.device.type)
    remove_leftovers(folder.result.parent)
    if record := finished(folder, identity):
        tidy(folder, record)
        return replace(training, was_finished=True)
    folder.require_usable()
    trainer = Trainer(images, settings, accelerator)
    if observer:
        observer(training, 0, None)
    train(
        trainer, folder, identity, lambda done, update: observer(training, done, update) if observer else None
    )
    return training
