"""The commit mark of a shard: written after the tar has its name, so that what is marked is whole."""

from pydantic import ValidationError

from synthgen.config.model import FrozenModel
from synthgen.config.validation import first_fault
from synthgen.errors import InputError
from synthgen.shards.statistics import ShardStatistics
from synthgen.storage.root import Root


class Mark(FrozenModel):
    """What a finished shard is (`000000.json` beside `000000.tar`)."""

    format_version: int
    shard: str
    sha256: str
    bytes: int
    first_index: int
    count: int
    fingerprint: str
    extensions: list[str]
    """The members of every sample, in the order of the tar."""
    members: list[list[int]]
    """For each sample, offset and size of each member's data, in the order of ``extensions``."""
    statistics: ShardStatistics
    versions: dict[str, str]
    """Libraries, CPU and device that made the shard."""


def mark_name(index: int) -> str:
    """The file name of a shard's mark."""
    return f"{index:06d}.json"


def shard_name(index: int) -> str:
    """The file name of a shard."""
    return f"{index:06d}.tar"


def read_mark(root: Root, index: int) -> Mark | None:
    """The mark of a shard, or None where there is none. Raises InputError where it cannot be understood."""
    name = mark_name(index)
    text = root.content(name)
    if text is None:
        return None
    try:
        return Mark.model_validate_json(text)
    except ValidationError as error:
        raise InputError(
            f"{name} in {root.url} is not a shard's mark ({first_fault(error)}); "
            "delete it to make the shard again"
        ) from error
