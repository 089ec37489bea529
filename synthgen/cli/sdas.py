"""Commands about diffusion models: sdas train."""

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from synthgen.cli.arguments import (
    Commands,
    add_categories,
    add_device,
    add_normal,
    add_settings,
    command,
    group,
    path,
    positive,
)
from synthgen.cli.sources import opened

if TYPE_CHECKING:
    from synthgen.diffusion.training.settings import TrainingSettings
    from synthgen.diffusion.training.train import Training


def add(commands: Commands) -> None:
    """Add the commands."""
    below = group(commands, "sdas", "train a diffusion model on normal images, for the sdas methods")
    added = command(below, "train", "train a diffusion model; resumes by itself", train)
    added.add_argument("source", type=path, help="folder or URL of normal images, or builtin")
    added.add_argument("--out", type=path, required=True, help="the model's directory")
    added.add_argument("--preset", choices=["tiny", "small", "base", "adm"], help="network (default: tiny)")
    added.add_argument("--size", type=positive, help="side of the model's images, pixels (default: 64)")
    added.add_argument("--steps", type=positive, default=5000, help="updates (default: %(default)s)")
    added.add_argument("--batch", type=positive, help="images of an update (default: the preset's)")
    add_categories(added)
    add_normal(added)
    added.add_argument(
        "--init-from",
        type=path,
        metavar="PATH-OR-HUB-ID",
        help="begin with the weights of this diffusers model instead of random ones",
    )
    add_device(added)
    add_settings(added, "any other setting, such as flips=both")


def train(options: Namespace) -> int:
    """Train a diffusion model on the normal images of a source."""
    from synthgen.cli.progress import bars, training_bar
    from synthgen.diffusion.training.train import train_diffusion

    settings = _settings(options)
    with training_bar(options.out, begin=report_beginning) as observer:
        training = train_diffusion(
            opened(options.source, options.categories, options.normal),
            options.out,
            settings,
            steps=options.steps,
            categories=options.categories,
            init_from=options.init_from,
            device=options.device,
            progress=bars,
            observer=observer,
        )
    if training.is_main:
        what = f"trained for {training.updates} updates on {training.images} images"
        done = f"is {what} already; nothing is left to do" if training.was_finished else what
        print(f"{options.out}: {done}")
    return 0


def report_beginning(training: "Training") -> None:
    """What a person should know of a training before it begins."""
    from synthgen.cli.progress import print_notes, print_skipped

    print_skipped(training.rejected)
    print_notes(training.notes)
    if not training.keeps_classes:
        print("note: the first weights are of other classes, so that embedding begins anew", file=sys.stderr)


def _settings(options: Namespace) -> "TrainingSettings":
    from synthgen.config.reader import parse_model
    from synthgen.diffusion.training.settings import TrainingSettings

    given = {"preset": options.preset, "size": options.size, "batch": options.batch}
    own = [f"{name}={value}" for name, value in given.items() if value is not None]
    return parse_model("{}", "the training", TrainingSettings, [*own, *options.set])
