"""Finished shards on the disk: kept up to a number of bytes, those that were read longest ago go first."""

import os
import shutil
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from synthgen.errors import InputError
from synthgen.plan.plan import Plan
from synthgen.runtime.versions import versions
from synthgen.shards.mark import Mark, read_mark, shard_name
from synthgen.storage.output import OutputDirectory
from synthgen.storage.root import Root

NAME_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Kept:
    """A finished shard."""

    path: Path
    bytes: int
    sha256: str


@dataclass(slots=True)
class _Entry:
    kept: Kept
    readers: int = 0


class ShardCache:
    """The shards that were made, one directory for each plan and way of writing it. Used by one thread."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._entries: OrderedDict[Path, _Entry] = OrderedDict()

    def open(self) -> None:
        """See that the folder can be written to, and take over what an earlier service left there whole.

        Raises InputError where it cannot be used.
        """
        OutputDirectory(str(self._folder)).create()
        found: list[tuple[float, Path, Kept]] = []
        for directory in self._folder.iterdir():
            if directory.is_dir():
                OutputDirectory(str(directory)).remove_leftovers()
                found += _whole(directory)
        for _, path, kept in sorted(found, key=lambda each: each[0]):
            self._entries[path] = _Entry(kept)
        self._make_room()

    def directory(self, plan: Plan) -> OutputDirectory:
        """Where the shards of a plan belong; made where it is not there."""
        path = self._of(plan)
        directory = OutputDirectory(str(path))
        if not path.is_dir():
            directory.create()
        return directory

    def add(self, plan: Plan, mark: Mark) -> None:
        """Take over a shard that was just written."""
        path = self._of(plan) / mark.shard
        self._entries[path] = _Entry(Kept(path, mark.bytes, mark.sha256))
        self._make_room()

    def find(self, plan: Plan, shard: int) -> Kept | None:
        """A finished shard; None where it is not kept, or somebody else removed it."""
        path = self._of(plan) / shard_name(shard)
        if path in self._entries and not path.is_file():
            del self._entries[path]
        entry = self._entries.get(path)
        return entry.kept if entry else None

    @contextmanager
    def reading(self, kept: Kept) -> Iterator[None]:
        """Keep a shard while it is read."""
        entry = self._entries[kept.path]
        self._entries.move_to_end(kept.path)
        entry.readers += 1
        os.utime(kept.path)
        try:
            yield
        finally:
            entry.readers -= 1
            self._make_room()

    @property
    def bytes(self) -> int:
        """Bytes of all shards that are kept."""
        return sum(entry.kept.bytes for entry in self._entries.values())

    def _make_room(self) -> None:
        """Let those go that were read longest ago; the last one added stays, or nobody could ever read it."""
        total = self.bytes
        for path, entry in list(self._entries.items())[:-1]:
            if total <= self._most_bytes:
                return
            if entry.readers == 0:
                path.with_suffix(".json").unlink(missing_ok=True)
                path.unlink(missing_ok=True)
                total -= entry.kept.bytes
                del self._entries[path]

    def _of(self, plan: Plan) -> Path:
        return self._folder / identity(plan, {})[:NAME_LENGTH]


def identity(plan: Plan, more: dict[str, Any]) -> str:
    """sha256 of all that decides the bytes of a plan's shards, and of what else is given."""
    import json

    decides = {
        "fingerprint": plan.fingerprint,
        "output": plan.recipe.output.model_dump(mode="json"),
        "count": plan.recipe.count,
        "versions": versions(),
        **more,
    }
    return sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def _whole(directory: Path) -> Iterator[tuple[float, Path, Kept]]:
    """The shards of a directory that have a mark and its size, and when they were last read; others go."""
    root = Root(str(directory))
    for path in sorted(directory.glob("*.tar")):
        mark: Mark | None = None
        try:
            mark = read_mark(root, int(path.stem))
        except (InputError, ValueError):
            mark = None
        if mark is None or mark.bytes != path.stat().st_size:
            path.with_suffix(".json").unlink(missing_ok=True)
            path.unlink()
            continue
        yield path.stat().st_mtime, path, Kept(path, mark.bytes, mark.sha256)
    if not any(directory.iterdir()):
        shutil.rmtree(directory)
