"""A folder of this user for what is expensive to make and can be made again."""

import os
from contextlib import suppress
from pathlib import Path

from synthgen.storage.whole_file import write_whole

MOST_FILES = 1000
"""Of a kind; the oldest go first."""


def cached(kind: str, name: str) -> bytes | None:
    """What was kept under a name; None where it is not there or cannot be read."""
    with suppress(OSError, RuntimeError):  # a user without a home folder has none
        return (_folder(kind) / name).read_bytes()
    return None


def keep(kind: str, name: str, data: bytes) -> None:
    """Keep something, whole or not at all; where this user has no folder to write to, it is made again."""
    with suppress(OSError, RuntimeError):
        folder = _folder(kind)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, data)
        oldest_first = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime)
        for file in oldest_first[:-MOST_FILES]:
            file.unlink()


def _folder(kind: str) -> Path:
    """In `SYNTHGEN_CACHE`, or where the XDG base directory specification has it: `~/.cache/synthgen`."""
    if own := os.environ.get("SYNTHGEN_CACHE"):
        return Path(own) / kind
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "synthgen" / kind
