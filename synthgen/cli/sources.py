"""The source that a command's options name, and a word on what was taken from it."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthgen.sources.base import Source


def opened(
    path: str, categories: Sequence[str] | None = None, normal: Sequence[str] | None = None
) -> "Source":
    """The source at a path or URL, or ``builtin``; what is left out of it is said on standard error."""
    from synthgen.config.document import one_line
    from synthgen.sources.named import named_source

    source = named_source(path, categories, normal)
    if seen := source.seen():
        print(one_line(f"note: {seen}"), file=sys.stderr)
    return source


def opened_unless_shards(
    path: str, categories: Sequence[str] | None = None, normal: Sequence[str] | None = None
) -> "Source | str":
    """As `opened`; a directory of shards stays its path, for the normal images of its plan."""
    from synthgen.shards.numbering import PLAN_NAME
    from synthgen.storage.root import Root

    if path != "builtin" and not normal and Root(path).is_file(PLAN_NAME):
        return path
    return opened(path, categories, normal)
