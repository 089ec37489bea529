"""Reading shards back with plain tarfile: whole, or one sample by its key."""

import json
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from typing import IO, cast

from pydantic import ValidationError

from synthgen.config.nearest import nearest
from synthgen.config.validation import first_fault
from synthgen.errors import InputError
from synthgen.images.decode import MAX_BYTES
from synthgen.plan.plan import Plan
from synthgen.sample import sample_key
from synthgen.shards.mark import Mark, read_mark, shard_name
from synthgen.shards.numbering import PLAN_NAME, shard_count
from synthgen.storage.root import Root, root_of_file

READ_AHEAD = 1 << 15
WANTED = "the directory that `synthgen generate` wrote"


@dataclass(frozen=True, slots=True)
class RawSample:
    """A sample as it lies in the tar: ``members`` maps each extension to its bytes, in the tar's order."""

    key: str
    members: dict[str, bytes]
    spans: list[int]
    """Offset and size of each member's data in the tar, in the same order."""


def open_directory(url: str | PathLike[str]) -> Root:
    """Open a directory that synthgen wrote, a path or any fsspec URL. Raises InputError where it is none."""
    root = Root(str(url).rstrip("/") or "/", WANTED)
    if root.is_file():
        raise InputError(f"{url} is a file; expected {WANTED}")
    if PLAN_NAME not in root.names():
        raise InputError(
            f"{url} has no {PLAN_NAME}, so it is not from synthgen; give the --out of `synthgen generate`"
        )
    return root


def read_plan(root: Root, name: str = PLAN_NAME) -> Plan:
    """The plan that the shards of a directory are made from, or that was written to another name."""
    try:
        return Plan.model_validate_json(_renewed(root.content(name) or b""))
    except ValidationError as error:
        raise InputError(
            f"{root.url}/{name} is not a plan that this version reads ({first_fault(error)})"
        ) from error


def _renewed(text: bytes) -> bytes:
    """The JSON text of a plan, in which what the judge asks may still stand where it stood before."""
    with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
        plan = json.loads(text)
        plan["recipe"]["judge"] = {"min_contrast": plan["recipe"].pop("min_contrast")}
        return json.dumps(plan).encode()
    return text


def read_marks(root: Root) -> list[Mark]:
    """The marks of all finished shards of a directory's plan, in order."""
    marks = (read_mark(root, shard) for shard in range(shard_count(read_plan(root))))
    return [mark for mark in marks if mark]


def finished_marks(url: str | PathLike[str]) -> list[Mark]:
    """The marks of a directory's finished shards. Raises InputError where there is none yet."""
    marks = read_marks(open_directory(url))
    if not marks:
        raise InputError(f"{url}: has no finished shard yet; run `synthgen generate` first")
    return marks


def open_shard(root: Root, shard: int) -> IO[bytes]:
    """Open a shard's tar for reading; close it after use. Raises InputError where there is none."""
    name, names = shard_name(shard), root.names()
    if name not in names:
        raise _no_shard(root.url, name, names)
    return root.open(name)


def read_samples(root: Root, shard: int) -> Iterator[RawSample]:
    """The samples of one shard, in order. Raises InputError."""
    with open_shard(root, shard) as stream:
        yield from samples_in(stream, shard_name(shard))


def read_sample(tar: str | PathLike[str], key: str) -> RawSample:
    """One sample of a shard: at the place that the mark beside it names, else found by looking through it.

    Raises InputError where there is no such shard or key.
    """
    url = str(tar)
    root, name = root_of_file(url)
    if not root.is_file(name):
        raise _no_shard(url.rpartition("/")[0] or ".", name, root.names() if root.is_folder() else [])
    stem = name.removesuffix(".tar")
    mark = read_mark(root, int(stem)) if stem.isdecimal() else None
    if mark is None:
        return _search(root, name, url, key)
    keys = [sample_key(mark.first_index + position) for position in range(mark.count)]
    if key not in keys:
        raise _no_key(url, key, keys)
    spans = mark.members[keys.index(key)]
    return RawSample(key, _cut(root, name, mark.extensions, spans), spans)


def _search(root: Root, name: str, url: str, key: str) -> RawSample:
    seen = []
    with root.open(name) as stream:
        for sample in samples_in(stream, url):
            if sample.key == key:
                return sample
            seen.append(sample.key)
    raise _no_key(url, key, seen)


def samples_in(stream: IO[bytes], name: str) -> Iterator[RawSample]:
    """The samples of a tar that is read once, front to back; ``name`` stands for it in messages.

    Raises InputError where it is damaged, or holds what a shard never holds.
    """
    current: RawSample | None = None
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=READ_AHEAD) as archive:
            for member in archive:
                key, dot, extension = member.name.partition(".")
                if not (dot and member.isreg() and "/" not in member.name and member.size <= MAX_BYTES):
                    raise InputError(f"{name} holds {member.name!r}, which is not a member of a sample")
                if current is None or current.key != key:
                    if current:
                        yield current
                    current = RawSample(key, {}, [])
                if extension in current.members:
                    raise InputError(f"{name} holds {member.name} twice")
                content = cast(IO[bytes], archive.extractfile(member))
                current.members[extension] = content.read()
                current.spans.extend((member.offset_data, member.size))
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile would keep every header
    except (tarfile.TarError, EOFError) as error:
        place = f"after sample {current.key}" if current else "at its start"
        raise InputError(
            f"{name} is damaged {place} ({error}); delete its mark (.json) and generate it again"
        ) from error
    if current:
        yield current


def _cut(root: Root, name: str, extensions: list[str], spans: list[int]) -> dict[str, bytes]:
    """The members at the given places, by one read."""
    places = list(zip(spans[::2], spans[1::2], strict=True))
    start = min(offset for offset, _ in places)
    end = max(offset + size for offset, size in places)
    try:
        block = root.piece(name, start, end - start)
    except OSError as error:
        raise InputError(f"{root.url}: {error}") from error
    if len(block) != end - start:
        raise InputError(
            f"{root.url}: {name} ends before the sample's members, which its mark places up to byte {end}"
        )
    return {
        extension: block[offset - start : offset - start + size]
        for extension, (offset, size) in zip(extensions, places, strict=True)
    }


def _no_shard(folder: str, name: str, names: list[str]) -> InputError:
    tars = sorted(entry for entry in names if entry.endswith(".tar"))
    if not tars:
        return InputError(f"there is no {name} in {folder}, nor any other shard")
    closest = nearest(name, tars) or tars[-1]
    return InputError(
        f"there is no {name} in {folder}; it has {tars[0]} to {tars[-1]}, the nearest is {closest}"
    )


def _no_key(tar: str, key: str, keys: list[str]) -> InputError:
    if not keys:
        return InputError(f"{tar} has no sample {key!r}; it is empty")
    if key.isdigit() and len(key) <= 18:
        closest = min(keys, key=lambda known: abs(int(known) - int(key)) if known.isdigit() else 10**18)
    else:
        closest = nearest(key, keys) or keys[0]
    return InputError(
        f"{tar} has no sample {key!r}; it has {keys[0]} to {keys[-1]}, the nearest is {closest}"
    )
