"""A frozen plan in a file, where a recipe might be."""

from pathlib import PurePosixPath

from synthgen.plan.plan import Plan
from synthgen.shards.reader import read_plan
from synthgen.storage.root import root_of_file


def read_plan_file(path: str) -> Plan | None:
    """The plan that `synthgen plan` wrote to a path or URL, or None where a recipe is named.

    Raises InputError where it is of another version.
    """
    if PurePosixPath(path).suffix != ".json":
        return None
    root, name = root_of_file(path)
    text = root.content(name)
    return read_plan(root, name) if text and b'"fingerprint"' in text else None
