"""The command generate."""

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from synthgen.cli.arguments import Commands, add_device, path, positive, resource, shard_numbers
from synthgen.cli.recipes import chosen_recipe, recipe_command
from synthgen.errors import InputError

if TYPE_CHECKING:
    from synthgen.engines.base import Engine
    from synthgen.engines.run import Run


def add(commands: Commands) -> None:
    """Add the command."""
    added = recipe_command(commands, "generate", "write the shards of a recipe; resumes by itself", generate)
    added.add_argument("--out", type=path, required=True, help="output directory or URL")
    added.add_argument("--workers", type=positive, help="processes (default: one per core)")
    add_device(added)
    added.add_argument(
        "--engine", choices=["local", "ray"], default="local", help="this machine, or a Ray cluster"
    )
    added.add_argument("--address", help="of the Ray cluster, HOST:PORT (default: the one that runs here)")
    added.add_argument("--cpus-per-worker", type=resource, help="what Ray keeps for each worker (default: 1)")
    added.add_argument(
        "--gpus-per-worker", type=resource, help="with some, networks run on GPUs there (default: 0)"
    )
    added.add_argument("--shards", type=shard_numbers, help="make only these, such as 0-99 or 3 or 0-9,20")


def generate(options: Namespace) -> int:
    """Write the shards of a recipe."""
    engine = chosen_engine(options)
    recipe = chosen_recipe(options)
    from synthgen.cli.progress import bars, run_bar
    from synthgen.engines.generate import generate as write_shards
    from synthgen.shards.numbering import shard_count
    from synthgen.shards.statistics import look_normal_sentences, merge

    with run_bar(begin=report_beginning) as observer:
        run = write_shards(
            recipe,
            options.out,
            shards=options.shards,
            workers=options.workers,
            device=options.device,
            engine=engine,
            progress=bars,
            observer=observer,
        )
    samples = run.samples(sorted(run.marks))
    statistics = merge(mark.statistics for mark in run.marks.values())
    for sentence in look_normal_sentences(statistics):
        print(sentence)
    print(f"{options.out}: {len(run.marks)} of {shard_count(run.plan)} shards, {samples} samples")
    return 0


def chosen_engine(options: Namespace) -> "Engine | None":
    """The engine that the options name; None for this machine. Raises InputError."""
    resources = ("address", "cpus_per_worker", "gpus_per_worker")
    given = {name: value for name in resources if (value := getattr(options, name)) is not None}
    if options.engine == "ray":
        if options.device != "auto":
            raise InputError("--device is for this machine; on Ray networks run where --gpus-per-worker says")
        from synthgen.engines.ray import RayEngine

        return RayEngine(**given, workers=options.workers)
    for name in given:
        raise InputError(f"--{name.replace('_', '-')} is for a Ray cluster; add --engine ray")
    return None


def report_beginning(run: "Run") -> None:
    """What a person should know of a run before it begins."""
    from synthgen.cli.progress import print_notes, print_skipped
    from synthgen.plan.describe import model_notes

    print_skipped(run.plan.rejected, more="plan.json lists them all")
    print_notes(run.plan.notes)
    for category, rule in run.plan.foreground.items():
        print(f"foreground of {category}: {rule.reason or rule.product_type}", file=sys.stderr)
    for note in model_notes(run.plan):
        print(f"note: {note}", file=sys.stderr)
    if run.other_versions:
        print(
            f"note: {len(run.other_versions)} shards, such as {run.other_versions[0]}, were made with other "
            "versions of the libraries; delete their marks (.json) to make them again",
            file=sys.stderr,
        )
    there = len(run.shards) - len(run.missing)
    if there:
        print(f"{there} of {len(run.shards)} shards are there already", file=sys.stderr)
