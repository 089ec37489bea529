"""Writing one shard: the tar under a temporary name, then its mark."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice

from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Output
from synthgen.runtime.versions import versions
from synthgen.sample import FORMAT_VERSION, Facts, Sample
from synthgen.shards import tar
from synthgen.shards.encode import encode, extensions
from synthgen.shards.mark import Mark, mark_name, shard_name
from synthgen.shards.numbering import shard_indices
from synthgen.shards.statistics import ShardStatistics
from synthgen.storage.output import OutputDirectory, start_writing_back

SAMPLES_PER_BLOCK = 16
WRITE_BACK_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Some samples of a shard, one after the other, as they stand in its tar."""

    data: bytes | memoryview
    places: list[list[int]]
    """For each sample, offset in ``data`` and size of each member, in the order of the extensions."""
    facts: list[Facts]


def block(samples: Iterable[Sample], output: Output) -> Block:
    """The piece of a tar that holds some samples."""
    names = extensions(output)
    pieces: list[bytes] = []
    places: list[list[int]] = []
    facts: list[Facts] = []
    position = 0
    for sample in samples:
        members = encode(sample, output)
        place = []
        for name in names:
            data = members[name]
            pieces += [tar.header(f"{sample.facts.key}.{name}", len(data)), data, tar.padding(len(data))]
            place += [position + tar.BLOCK, len(data)]
            position += tar.BLOCK + len(data) + len(pieces[-1])
        places.append(place)
        facts.append(sample.facts)
    return Block(b"".join(pieces), places, facts)


def write_shard(
    directory: OutputDirectory,
    plan: Plan,
    shard: int,
    samples: Iterator[Sample],
    made: Callable[[int], None],
) -> Mark:
    """Write one shard out of its samples, and its mark.

    ``samples`` are those of `shard_indices`, in their order; ``made`` is called with the number of samples
    since its last call.
    """

    def blocks() -> Iterator[Block]:
        while some := list(islice(samples, SAMPLES_PER_BLOCK)):
            yield block(some, plan.recipe.output)
            made(len(some))

    return write_blocks(directory, plan, shard, blocks())


def write_blocks(directory: OutputDirectory, plan: Plan, shard: int, blocks: Iterable[Block]) -> Mark:
    """Write a shard out of all its blocks, in their order, and its mark."""
    digest, position, written_back = sha256(), 0, 0
    places: list[list[int]] = []
    facts: list[Facts] = []
    with directory.open_for_writing(shard_name(shard)) as file:
        for each in blocks:
            digest.update(each.data)
            file.write(each.data)
            places += [
                [number + position * (which % 2 == 0) for which, number in enumerate(place)]
                for place in each.places
            ]
            facts += each.facts
            position += len(each.data)
            if position - written_back >= WRITE_BACK_BYTES:
                start_writing_back(file, written_back, position)
                written_back = position
        digest.update(tar.END_OF_ARCHIVE)
        file.write(tar.END_OF_ARCHIVE)
    indices = shard_indices(plan, shard)
    mark = Mark(
        format_version=FORMAT_VERSION,
        shard=shard_name(shard),
        sha256=digest.hexdigest(),
        bytes=position + len(tar.END_OF_ARCHIVE),
        first_index=indices.start,
        count=len(indices),
        fingerprint=plan.fingerprint,
        extensions=extensions(plan.recipe.output),
        members=places,
        statistics=ShardStatistics.of(facts),
        versions=versions(),
    )
    directory.write(mark_name(shard), mark.model_dump_json().encode())
    directory.sync()
    return mark
