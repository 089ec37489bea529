"""Normal images out of WebDataset tar shards."""

import re
import tarfile
import zlib
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cached_property, partial
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from synthgen.errors import InputError
from synthgen.images.decode import MAX_BYTES
from synthgen.sources.base import Entry, Listed, Source
from synthgen.storage.listing import OTHER_FORMATS, Stray
from synthgen.storage.root import IMAGE_SUFFIXES, Root, root_of_file
from synthgen.storage.seekable_gzip import SeekableGzip
from synthgen.storage.walk import NO_TEXT, escaped, is_text

MAX_SHARDS = 100_000
_NORMAL = b"0"
_LABEL_BYTES = 64
_NUMBERS = re.compile(r"\{(\d+)\.\.(\d+)\}")
_PACKED = (".tar.gz", ".tgz")


class _Member(NamedTuple):
    shard: str
    offset: int
    """In the tar, unpacked."""
    size: int


class _Index(NamedTuple):
    """What a tar holds: each normal image by its name, and what is passed over."""

    images: dict[str, _Member]
    other_formats: list[str]
    strays: list[Stray]


class WebDatasetSource(Source):
    """The image members of samples whose ``cls`` is 0, or that have none.

    A member is an image when what follows the first dot of its base name is exactly an image's suffix, so
    masks (``KEY.mask.png``) and paired normals (``KEY.normal.png``) are left out. An entry's path is the
    shard's path below the root, "/", and the member's name.
    """

    file_suffix: ClassVar[tuple[str, ...]] = (".tar", *_PACKED)

    kind: Literal["webdataset"] = "webdataset"
    path: Annotated[str, Field(min_length=1)]
    """Path or URL of a tar (``.tar``, ``.tar.gz``, ``.tgz``), of a folder of tars, or a glob such as
    ``shards/{000000..000003}.tar``."""

    @classmethod
    def is_at(cls, root: Root) -> bool:
        """Whether a folder holds tars; a packed one beside images may be just where they came from."""
        return bool(root.files(".tar")) or (bool(root.files(_PACKED)) and not root.images())

    def entries(self) -> Sequence[Entry]:
        """List the normal images of all shards as one category, sorted by path."""
        return self.listing().entries

    def listing(self) -> Listed:
        """The normal images, pictures of other formats, and images whose names are no text."""
        root, _ = self._shards
        category = root.name
        index = self._index
        if not index.images:
            raise InputError(
                f"{self.path} has no normal image: no KEY.png, KEY.jpg … with cls 0 or without cls"
            )
        entries = [Entry(path, category) for path in sorted(index.images)]
        return Listed(entries, index.other_formats, index.strays)

    def read(self, path: str) -> bytes:
        """The encoded bytes of one listed image. Raises OSError where it cannot be read."""
        root, _ = self._shards
        member = self._index.images.get(path)
        if member is None:
            raise OSError(f"{path} is not a normal image of {self.path}")
        size = min(member.size, MAX_BYTES + 1)
        if member.shard not in self._unpacked:
            return root.read(member.shard, member.offset, size)
        try:
            return self._unpacked[member.shard].read_at(member.offset, size)
        except (zlib.error, EOFError, ValueError) as error:
            raise OSError(f"{member.shard} cannot be read: {error}") from error

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
        shards = whole.files(".tar") or whole.files(_PACKED)
        if not shards:
            raise InputError(f"{self.path} has no .tar or .tar.gz file; shards of WebDataset are expected")
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
    def _unpacked(self) -> dict[str, SeekableGzip]:
        """The packed shards by their paths."""
        root, shards = self._shards
        return {
            shard: SeekableGzip(partial(root.piece, shard)) for shard in shards if shard.endswith(_PACKED)
        }

    @cached_property
    def _index(self) -> _Index:
        """What all tars hold, by entries' paths: they are scanned once."""
        root, shards = self._shards
        whole = _Index({}, [], [])
        for shard in shards:
            found = _scanned(root, shard, self._unpacked.get(shard))
            whole.images.update((f"{shard}/{name}", member) for name, member in found.images.items())
            whole.other_formats.extend(f"{shard}/{name}" for name in found.other_formats)
            whole.strays.extend(Stray(f"{shard}/{stray.path}", stray.reason) for stray in found.strays)
        return whole


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


def _scanned(root: Root, shard: str, unpacked: SeekableGzip | None) -> _Index:
    """What one tar holds; ``unpacked`` is its content where it is packed."""
    labels: dict[str, bytes] = {}
    images: dict[str, tuple[str, _Member]] = {}
    found = _Index({}, [], [])
    try:
        opened = nullcontext(unpacked) if unpacked else root.open(shard)
        with opened as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                folder, _, base = member.name.rpartition("/")
                stem, _, extension = base.partition(".")
                key = f"{folder}/{stem}"
                if not member.isreg() or not stem:
                    continue
                suffix = f".{extension.lower()}"
                if extension == "cls":
                    content = archive.extractfile(member)
                    labels[key] = content.read(_LABEL_BYTES).strip() if content else b""
                elif suffix in OTHER_FORMATS:
                    found.other_formats.append(escaped(member.name))
                elif suffix in IMAGE_SUFFIXES and not is_text(member.name):
                    found.strays.append(Stray(escaped(member.name), NO_TEXT))
                elif suffix in IMAGE_SUFFIXES:
                    images[member.name] = (key, _Member(shard, member.offset_data, member.size))
    except Exception as error:  # remote file systems have errors of their own kinds
        kind = "gzipped" if unpacked else "uncompressed"
        raise InputError(f"{shard} in {root.url} is not a complete, {kind} tar: {error}") from error
    normal = ((name, place) for name, (key, place) in images.items() if labels.get(key, _NORMAL) == _NORMAL)
    found.images.update(normal)
    return found
