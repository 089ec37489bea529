"""Describing a directory whose shards were made by several runs, by none of them to the end."""

from collections.abc import Sequence
from pathlib import Path

from synthgen.engines.run import Run, open_run
from synthgen.errors import TransientError
from synthgen.shards.numbering import shard_count
from synthgen.shards.reader import open_directory, read_plan
from synthgen.storage.output import OutputDirectory

MOST_NAMED = 5
"""Ranges of missing shards in a sentence."""


def finish(out: str | Path) -> Run:
    """Write the manifest, the card and the list of shards of a directory that has them all.

    For shards that several runs made, each with some of them. Raises InputError where the directory is none
    of ours, TransientError where shards are missing, RunError where more than 1 % of the samples are
    rejected.
    """
    url = str(out)
    plan = read_plan(open_directory(url))
    directory = OutputDirectory(url)
    with directory.held(f"{url}: a run is making shards there; wait for its end"):
        run = open_run(plan, url)
        if run.missing:
            raise TransientError(
                f"{url}: {len(run.missing)} of {shard_count(plan)} shards are missing "
                f"({_ranges(run.missing)}); make them by `synthgen generate`, and finish again"
            )
        run.finish()
    return run


def _ranges(shards: Sequence[int]) -> str:
    """Ascending numbers as --shards takes them, if they are not too many."""
    ranges: list[list[int]] = []
    for shard in shards:
        if ranges and ranges[-1][1] == shard - 1:
            ranges[-1][1] = shard
        else:
            ranges.append([shard, shard])
    named = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:MOST_NAMED]]
    return ",".join(named) + (" and others" if len(ranges) > MOST_NAMED else "")
