"""What the commands below `synthgen sdas` do."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from synthgen.errors import InputError, require_package

if TYPE_CHECKING:
    from accelerate import Accelerator

    from synthgen.diffusion.training.images import TrainingImages
    from synthgen.diffusion.training.settings import TrainingSettings
    from synthgen.sources.base import Source

SKIPPED_TOLD = 10


def train(options: Namespace) -> int:
    """Train a diffusion model on the normal images of a source."""
    for package in ("diffusers", "accelerate"):
        require_package(package, "sdas", "sdas train")
    settings = _settings(options)

    from synthgen.cli.progress import training_bar
    from synthgen.diffusion.training.directory import TrainingDirectory
    from synthgen.diffusion.training.first_weights import find_first_weights
    from synthgen.diffusion.training.loop import train as train_model
    from synthgen.diffusion.training.trainer import Trainer
    from synthgen.runtime.devices import require_device

    require_device(options.device)
    directory = TrainingDirectory(_local(options.out))
    directory.require_usable()
    first_weights = find_first_weights(options.init_from) if options.init_from else None
    accelerator = _accelerator(settings, options.device)
    images = _images(options, settings, accelerator.is_main_process)
    trainer = Trainer(images, settings, accelerator, first_weights)
    told = accelerator.is_main_process
    if told and not trainer.keeps_classes:
        print("note: the first weights are of other classes, so that embedding begins anew", file=sys.stderr)
    with training_bar(directory.model.name, options.steps, told) as report:
        trained = train_model(trainer, directory, options.steps, report)
    if told:
        what = f"trained for {options.steps} updates on {len(images.sha256s)} images"
        print(f"{options.out}: {what if trained else f'is {what} already; nothing is left to do'}")
    # In this order: a network that is freed after the group of its processes can wait for it for ever.
    del trainer
    accelerator.free_memory()
    accelerator.end_training()
    return 0


def _settings(options: Namespace) -> "TrainingSettings":
    from synthgen.config.reader import parse_model
    from synthgen.diffusion.training.settings import TrainingSettings

    given = {"preset": options.preset, "size": options.size, "batch": options.batch}
    own = [f"{name}={value}" for name, value in given.items() if value is not None]
    return parse_model("{}", "the training", TrainingSettings, [*own, *options.set])


def _local(out: str) -> Path:
    if "://" in out:
        raise InputError(f"{out}: is a URL; a model is trained into a directory of this machine")
    return Path(out)


def _accelerator(settings: "TrainingSettings", device: str) -> "Accelerator":
    from accelerate import Accelerator
    from accelerate.utils import GradientAccumulationPlugin

    # The plugin, because the mere number would give way to a variable of the environment.
    accumulation = GradientAccumulationPlugin(num_steps=settings.accumulate)
    try:
        accelerator = Accelerator(
            cpu=device == "cpu",
            mixed_precision=settings.precision,
            gradient_accumulation_plugin=accumulation,
        )
    except ValueError as error:
        raise InputError(f"precision {settings.precision}: is not for this device ({error})") from error
    if settings.precision == "fp16" and accelerator.device.type == "cpu":
        raise InputError("precision fp16: is not for a CPU; use bf16 or no")
    return accelerator


def _images(options: Namespace, settings: "TrainingSettings", told: bool) -> "TrainingImages":
    from synthgen.cli.progress import counted
    from synthgen.config.document import one_line
    from synthgen.diffusion.training.images import read_images

    with counted("reading", "images") as progress:
        images = read_images(
            _source(options.source, options.categories), settings, progress if told else None
        )
    for file in images.rejected[:SKIPPED_TOLD] if told else ():
        print(one_line(f"skipped {file.path}: {file.reason}"), file=sys.stderr)
    if told and len(images.rejected) > SKIPPED_TOLD:
        print(f"… and {len(images.rejected) - SKIPPED_TOLD} more", file=sys.stderr)
    return images


def _source(path: str, categories: list[str] | None) -> "Source":
    """``builtin`` for the photographs that come with scikit-image, or what lies at a path or URL."""
    from synthgen.config.nearest import nearest_name
    from synthgen.sources.builtin import BuiltinSource, Photograph
    from synthgen.sources.recognise import source_for

    if path != "builtin":
        return source_for(path, categories)
    there = get_args(Photograph)
    for name in categories or ():
        if name not in there:
            raise InputError(
                f"--categories {name}: no such photograph is built in{nearest_name(name, there)}; there are "
                f"{', '.join(there)}"
            )
    return BuiltinSource.model_validate({"categories": categories} if categories else {})
