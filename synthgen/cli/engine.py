"""What commands have in common that let others do their work: this machine's processes, or a Ray cluster."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from synthgen.cli.arguments import resource
from synthgen.errors import InputError

if TYPE_CHECKING:
    from synthgen.engines.base import Engine


def add_engine(added: ArgumentParser) -> None:
    """``--engine``, and what a Ray cluster is asked for."""
    added.add_argument(
        "--engine", choices=["local", "ray"], default="local", help="this machine, or a Ray cluster"
    )
    added.add_argument("--address", help="of the Ray cluster, HOST:PORT (default: the one that runs here)")
    added.add_argument("--cpus-per-worker", type=resource, help="what Ray keeps for each worker (default: 1)")
    added.add_argument(
        "--gpus-per-worker", type=resource, help="with some, networks run on GPUs there (default: 0)"
    )


def chosen_engine(options: Namespace) -> "Engine | None":
    """The engine that the options name; None for this machine. Raises InputError."""
    resources = ("address", "cpus_per_worker", "gpus_per_worker")
    given = {name: value for name in resources if (value := getattr(options, name)) is not None}
    if options.engine == "ray":
        from synthgen.engines.ray import RayEngine

        return RayEngine(**given, workers=options.workers)
    for name in given:
        raise InputError(f"--{name.replace('_', '-')} is for a Ray cluster; add --engine ray")
    return None
