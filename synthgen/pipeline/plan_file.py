"""A frozen plan in a file, where a recipe might be."""

from pathlib import PurePosixPath

from synthgen.errors import InputError
from synthgen.plan.plan import Plan, fingerprint
from synthgen.sample import FORMAT_VERSION
from synthgen.shards.reader import read_plan
from synthgen.storage.root import root_of_file


def read_plan_file(path: str) -> Plan | None:
    """The plan that `synthgen plan` wrote to a path or URL, or None where a recipe is named.

    Raises InputError where it is of another version, or was changed since.
    """
    if PurePosixPath(path).suffix != ".json":
        return None
    root, name = root_of_file(path)
    text = root.content(name)
    if not text or b'"fingerprint"' not in text:
        return None
    plan = read_plan(root, name)
    if plan.format_version != FORMAT_VERSION:
        raise InputError(
            f"{path}: is of format {plan.format_version}, and this version of synthgen reads "
            f"{FORMAT_VERSION}; freeze the recipe anew by `synthgen plan`"
        )
    if fingerprint(plan) != plan.fingerprint:
        raise InputError(
            f"{path}: is not as `synthgen plan` wrote it; change the recipe, and freeze it anew by `synthgen "
            "plan`"
        )
    return plan
