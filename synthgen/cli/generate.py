"""The commands generate and finish."""

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from synthgen.cli.arguments import Commands, add_device, command, path, positive, shard_numbers, whole_number
from synthgen.cli.engine import add_engine, chosen_engine
from synthgen.cli.recipes import chosen_recipe, recipe_command
from synthgen.errors import InputError

if TYPE_CHECKING:
    from synthgen.engines.run import Run
    from synthgen.plan.plan import Plan
    from synthgen.recipe.recipe import Recipe


INDEX_VARIABLES = ("JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID")
"""Of a Kubernetes Job with completionMode: Indexed, and of a Slurm array that begins with 0."""
MOST_DIGITS = 9


def add(commands: Commands) -> None:
    """Add the commands."""
    added = recipe_command(commands, "generate", "write the shards of a recipe; resumes by itself", generate)
    added.add_argument("--out", type=path, required=True, help="output directory or URL")
    added.add_argument("--workers", type=positive, help="processes (default: one per core)")
    add_device(added)
    add_engine(added)
    added.add_argument("--shards", type=shard_numbers, help="make only these, such as 0-99 or 3 or 0-9,20")
    added.add_argument(
        "--num-workers", type=positive, help="of several runs that a scheduler starts, make one's share"
    )
    added.add_argument(
        "--worker-index",
        type=whole_number,
        help="which of them this is, from 0 (default: JOB_COMPLETION_INDEX or SLURM_ARRAY_TASK_ID)",
    )

    ended = command(commands, "finish", "describe shards that several runs made: manifest and card", finish)
    ended.add_argument("directory", type=path, help="directory or URL in which all shards are")


def generate(options: Namespace) -> int:
    """Write the shards of a recipe."""
    if options.engine == "ray" and options.device != "auto":
        raise InputError("--device is for this machine; on Ray networks run where --gpus-per-worker says")
    engine = chosen_engine(options)
    asked = chosen_plan_or_recipe(options)
    shards = chosen_shards(options, asked)
    if shards is not None and not shards:
        print(f"{options.out}: there are fewer shards than workers, and none is left for this one")
        return 0
    from synthgen.cli.progress import bars, run_bar
    from synthgen.engines.generate import generate as write_shards

    with run_bar(begin=report_beginning) as observer:
        run = write_shards(
            asked,
            options.out,
            shards=shards,
            workers=options.workers,
            device=options.device,
            engine=engine,
            progress=bars,
            observer=observer,
        )
    report_end(options.out, run)
    return 0


def finish(options: Namespace) -> int:
    """Write what describes a directory that several runs filled."""
    from synthgen.engines.finish import finish as write_description

    report_end(options.directory, write_description(options.directory))
    return 0


def report_end(out: str, run: "Run") -> None:
    """What a run came to."""
    from synthgen.shards.numbering import shard_count
    from synthgen.shards.statistics import look_normal_sentences, merge

    for sentence in look_normal_sentences(merge(mark.statistics for mark in run.marks.values())):
        print(sentence)
    samples = run.samples(sorted(run.marks))
    print(f"{out}: {len(run.marks)} of {shard_count(run.plan)} shards, {samples} samples")


def chosen_plan_or_recipe(options: Namespace) -> "Recipe | Plan":
    """What is to be made: a recipe with its overrides, or a plan, of which nothing can be overridden."""
    from synthgen.pipeline.plan_file import read_plan_file

    plan = read_plan_file(options.recipe)
    if plan is None:
        return chosen_recipe(options)
    for name in ("source", "normal", "count", "seed", "set"):
        if getattr(options, name) not in (None, []):
            raise InputError(
                f"--{name}: {options.recipe} is a plan, in which everything is decided; change the recipe "
                "and freeze it anew by `synthgen plan`"
            )
    return plan


def chosen_shards(options: Namespace, asked: "Recipe | Plan") -> "Sequence[int] | None":
    """The shards that this run is to make; None for all. Raises InputError."""
    from synthgen.plan.plan import Plan
    from synthgen.shards.numbering import share_of

    if options.num_workers is None:
        if options.worker_index is not None:
            raise InputError("--worker-index: say of how many by --num-workers")
        return cast("list[int] | None", options.shards)
    if options.shards:
        raise InputError("--shards and --num-workers both say which shards to make; give one of them")
    index = options.worker_index if options.worker_index is not None else _index_by_scheduler()
    if not 0 <= index < options.num_workers:
        raise InputError(
            f"worker {index}: there are {options.num_workers}, numbered 0 to {options.num_workers - 1}; give "
            "as many --num-workers as the scheduler starts"
        )
    return share_of(asked.recipe if isinstance(asked, Plan) else asked, index, options.num_workers)


def _index_by_scheduler() -> int:
    """Which of its workers a scheduler says this is. Raises InputError."""
    from synthgen.config.document import shortened

    for name in INDEX_VARIABLES:
        if (text := os.environ.get(name)) is not None:
            if not text.isdecimal() or len(text) > MOST_DIGITS:
                raise InputError(f"{name} is {shortened(text)!r}, and not the number of a worker, from 0")
            return int(text)
    raise InputError(
        "--num-workers: neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set; give --worker-index, "
        "from 0"
    )


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
