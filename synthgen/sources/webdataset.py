"""Normal images out of WebDataset tar shards."""

import re
import tarfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from synthgen.errors import InputError
from synthgen.images.decode import MAX_BYTES
from synthgen.sources.base import Entry, Source
from synthgen.storage.root import IMAGE_SUFFIXES, Root, require_text, root_of_file

MAX_SHARDS = 100_000
_NORMAL = b"0"
_LABEL_BYTES = 64
_NUMBERS = re.compile(r"\{(\d+)\.\.(\d+)\}")


class _Member(NamedTuple):
    shard: str
    offset: int
    size: int


class WebDatasetSource(Source):
    """The image members of samples whose ``cls`` is 0, or that have none.

    A member is an image when what follows the first dot of its base name is exactly an image's suffix, so
    masks (``KEY.mask.png``) and paired normals (``KEY.normal.png``) are left out. An entry's path is the
    shard's path below the root, "/", and the member's name.
    """

    file_suffix: ClassVar[str] = ".tar"

    kind: Literal["webdataset"] = "webdataset"
    path: Annotated[str, Field(min_length=1)]
    """Path or URL of a tar, of a folder of tars, or a glob such as ``shards/{000000..000003}.tar``."""

    @classmethod
    def is_at(cls, root: Root) -> bool:
        """Whether a folder holds tars."""
        return bool(root.files(cls.file_suffix))

    def entries(self) -> Sequence[Entry]:
        """List the normal images of all shards as one category, sorted by path."""
        root, _ = self._shards
        category = root.name
        if not self._members:
            raise InputError(
                f"{self.path} has no normal image: no KEY.png, KEY.jpg … with cls 0 or without cls"
            )
        return [Entry(path, category) for path in sorted(self._members)]

    def read(self, path: str) -> bytes:
        """The encoded bytes of one listed image. Raises OSError where it cannot be read."""
        root, _ = self._shards
        member = self._members.get(path)
        if member is None:
            raise OSError(f"{path} is not a normal image of {self.path}")
        return root.read(member.shard, member.offset, min(member.size, MAX_BYTES + 1))

    @cached_property
    def _shards(self) -> tuple[Root, list[str]]:
        """The folder of the shards, and their paths below it."""
        whole = Root(self.path)
        if whole.is_file():
            root, name = root_of_file(self.path)
            return root, [name]
        magic = re.search(r"[*?\[{]", self.path)
        if magic and not whole.is_folder():
            start = self._pattern_start(magic.start())
            root, pattern = Root(self.path[:start] or "."), self.path[start:]
            return root, sorted({shard for each in _expand(pattern) for shard in self._matches(root, each)})
        whole.require_folder()
        shards = whole.files(".tar")
        if not shards:
            raise InputError(f"{self.path} has no .tar file; shards of WebDataset are expected")
        return whole, shards

    def _pattern_start(self, magic: int) -> int:
        """Where the pattern begins in the path: behind the last folder that is there, whatever its name."""
        ends = [place for place, letter in enumerate(self.path) if letter == "/" and place > magic]
        there = (end for end in reversed(ends) if Root(self.path[:end]).is_folder())
        return next(there, self.path.rfind("/", 0, magic)) + 1

    def _matches(self, root: Root, pattern: str) -> list[str]:
        shards = root.glob(pattern)
        if not shards:
            raise InputError(f"{self.path} names {pattern}, and there is no such file")
        return shards

    @cached_property
    def _members(self) -> dict[str, _Member]:
        """Where each image lies, by its entry's path: the tars are scanned once."""
        root, shards = self._shards
        return {f"{shard}/{name}": member for shard in shards for name, member in _index(root, shard)}


def _expand(pattern: str) -> list[str]:
    """Replace ``{000..012}`` by each of its numbers, with the zeros of the first."""
    patterns = [pattern]
    while span := _NUMBERS.search(patterns[0]):
        first, last = int(span[1]), int(span[2])
        if not 0 <= last - first < MAX_SHARDS // len(patterns):
            raise InputError(f"{span[0]} in {pattern} must count upwards, over at most {MAX_SHARDS} shards")
        numbers = [f"{number:0{len(span[1])}d}" for number in range(first, last + 1)]
        patterns = [_NUMBERS.sub(number, each, count=1) for each in patterns for number in numbers]
    return patterns


def _index(root: Root, shard: str) -> Iterator[tuple[str, _Member]]:
    """Name and place of every normal image of one uncompressed tar."""
    labels: dict[str, bytes] = {}
    images: dict[str, tuple[str, _Member]] = {}
    try:
        with root.open(shard) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                folder, _, base = member.name.rpartition("/")
                stem, _, extension = base.partition(".")
                key = f"{folder}/{stem}"
                if not member.isreg() or not stem:
                    continue
                if extension == "cls":
                    content = archive.extractfile(member)
                    labels[key] = content.read(_LABEL_BYTES).strip() if content else b""
                elif f".{extension.lower()}" in IMAGE_SUFFIXES:
                    require_text(member.name, shard)
                    images[member.name] = (key, _Member(shard, member.offset_data, member.size))
    except InputError:
        raise
    except Exception as error:  # remote file systems have errors of their own kinds
        raise InputError(f"{shard} in {root.url} is not a complete, uncompressed tar: {error}") from error
    return ((name, place) for name, (key, place) in images.items() if labels.get(key, _NORMAL) == _NORMAL)
