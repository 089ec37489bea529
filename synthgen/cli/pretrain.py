"""The commands pretrain and attention."""

import json
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
    path,
    positive,
)
from synthgen.cli.detect import BACKBONES
from synthgen.cli.sources import opened

if TYPE_CHECKING:
    from synthgen.evaluation.attention import AttentionReport
    from synthgen.pretraining.pretrain import Pretraining
    from synthgen.pretraining.settings import PretrainingSettings


def add(commands: Commands) -> None:
    """Add the commands."""
    trained = command(
        commands, "pretrain", "pre-train a backbone that spots differences; resumes by itself", pretrain
    )
    trained.add_argument("source", type=path, help="folder or URL of normal images, or builtin")
    trained.add_argument(
        "--out", type=path, required=True, metavar="WEIGHTS", help="the file of the weights, .safetensors"
    )
    trained.add_argument(
        "--base", choices=["simclr", "moco", "simsiam"], help="what makes views alike (default: simclr)"
    )
    trained.add_argument(
        "--spd",
        choices=["contrast", "margin", "none"],
        help="the form of SPD's term, a reconstruction from the paper's words (default: contrast)",
    )
    trained.add_argument("--weight", type=float, help="of the term beside the base's loss (default: 1)")
    trained.add_argument("--temperature", type=float, help="of --spd contrast (default: 0.1)")
    trained.add_argument("--recipe", type=path, help="what makes the changed copies (default: smoothblend)")
    trained.add_argument("--backbone", choices=BACKBONES, help="(default: efficientnet_lite0)")
    trained.add_argument("--init", type=path, help="first weights: imagenet, random, or a file")
    trained.add_argument("--steps", type=positive, help="updates (default: 300)")
    trained.add_argument("--batch", type=positive, help="images of an update (default: 32)")
    trained.add_argument("--size", type=positive, help="side of the images, pixels (default: 128)")
    add_categories(trained)
    add_normal(trained)
    add_device(trained)
    add_settings(trained, "any other setting, such as seed=1 or stage=4")

    looked = command(
        commands, "attention", "measure whether a network looks where a defect was made", attention
    )
    looked.add_argument("weights", type=path, help="a file of weights, imagenet or random")
    looked.add_argument(
        "pairs_from",
        type=path,
        metavar="SHARDS|RECIPE",
        help="a directory of shards, or a recipe that makes the defects",
    )
    looked.add_argument("--out", type=path, required=True, help="directory for the numbers and the sheet")
    looked.add_argument("--source", type=path, help="normal images for a recipe (default: its own)")
    looked.add_argument("--pairs", type=positive, default=200, help="(default: %(default)s)")
    looked.add_argument(
        "--size", type=positive, default=256, help="side of a recipe's images, pixels (default: %(default)s)"
    )
    looked.add_argument("--backbone", choices=BACKBONES, help="(default: that of the file)")
    add_categories(looked)
    add_device(looked)


def pretrain(options: Namespace) -> int:
    """Pre-train a backbone on the normal images of a source."""
    from synthgen.cli.progress import bars, training_bar
    from synthgen.pretraining.pretrain import DEFAULT_RECIPE
    from synthgen.pretraining.pretrain import pretrain as train

    settings = _settings(options)
    with training_bar(options.out, begin=_report_beginning) as observer:
        training = train(
            opened(options.source, options.categories, options.normal),
            options.out,
            settings,
            recipe=options.recipe or DEFAULT_RECIPE,
            categories=options.categories,
            device=options.device,
            progress=bars,
            observer=observer,
        )
    what = f"{settings.backbone} trained for {training.updates} updates on {training.images} images"
    done = f"is {what} already; nothing is left to do" if training.was_finished else what
    print(f"{options.out}: {done}")
    if settings.spd != "none" and not training.was_finished:
        print("note: SPD's equation is not public; the term is a reconstruction", file=sys.stderr)
    return 0


def attention(options: Namespace) -> int:
    """Measure where a network looks, and draw it."""
    from synthgen.cli.progress import bars
    from synthgen.evaluation.attention import attention_of

    report = attention_of(
        options.weights,
        options.pairs_from,
        options.out,
        source=options.source,
        categories=options.categories,
        backbone=options.backbone,
        pairs=options.pairs,
        side=options.size,
        device=options.device,
        progress=bars,
    )
    print(_told(report))
    print(f"{options.out}: attention.json, and a sheet of pictures, attention.png")
    return 0


def _told(report: "AttentionReport") -> str:
    lines = [
        f"{report.backbone}, {report.weights}: {len(report.areas)} pairs of {len(set(report.sources))} good "
        f"products; the masks are {report.areas.mean():.1%} of the area"
    ]
    for name, times in report.times_area().items():
        lines.append(
            f"{name:9} {report.shares[name].mean():6.1%} of the attention in the mask, {times.value:.2f} "
            f"times its share of the area ({times.low:.2f} to {times.high:.2f})"
        )
    return "\n".join(lines)


def _report_beginning(training: "Pretraining") -> None:
    from synthgen.cli.progress import print_notes, print_skipped

    print_skipped(training.rejected)
    print_notes(training.notes)


def _settings(options: Namespace) -> "PretrainingSettings":
    from synthgen.config.reader import parse_model
    from synthgen.pretraining.settings import PretrainingSettings
    from synthgen.runtime.extras import require_extra

    require_extra("pretraining", "pre-training")
    names = ("base", "spd", "weight", "temperature", "backbone", "init", "steps", "batch", "size")
    given = {name: getattr(options, name) for name in names}
    # As YAML, whatever characters a path has.
    own = [f"{name}={json.dumps(value)}" for name, value in given.items() if value is not None]
    return parse_model("{}", "the pre-training", PretrainingSettings, [*own, *options.set])
