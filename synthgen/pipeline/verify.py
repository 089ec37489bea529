"""Checking a directory of shards against its own plan and the normal images it was made from."""

from pathlib import Path

from synthgen.pipeline.paired_normals import normal_images
from synthgen.runtime.progress import Stages, silent
from synthgen.shards.reader import open_directory, read_plan
from synthgen.shards.verify import Report, verify_shards


def verify(directory: str | Path, source: str | Path | None = None, *, progress: Stages = silent) -> Report:
    """Check sums, counts, schema and masks of all shards, and that nothing lies outside of the masks.

    The normal images are looked for where the plan found them, or below the folder or URL ``source``. What is
    wrong is in the report. Raises InputError where the directory is not from synthgen, or ``source`` holds
    none of the images.
    """
    plan = read_plan(open_directory(str(directory)))
    normal_of = normal_images(plan, None if source is None else str(source))
    with progress("verifying", "samples") as report:
        return verify_shards(directory, normal_of, report)
