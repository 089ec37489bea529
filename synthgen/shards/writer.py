"""Writing one shard: the tar under a temporary name, then its mark."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from itertools import islice

from synthgen.pipeline import Pipeline
from synthgen.plan import Plan
from synthgen.recipe import Output
from synthgen.sample import FORMAT_VERSION, Facts, Sample
from synthgen.shards import tar
from synthgen.shards.directory import OutputDirectory, start_writing_back
from synthgen.shards.encode import encode, extensions
from synthgen.shards.mark import Mark, mark_name, shard_name
from synthgen.shards.statistics import ShardStatistics

SAMPLES_PER_BLOCK = 16
WRITE_BACK_BYTES = 8 * 1024 * 1024


def shard_count(plan: Plan) -> int:
    """How many shards a plan has."""
    return -(-plan.recipe.count // plan.recipe.output.shard_size)


def shard_indices(plan: Plan, shard: int) -> range:
    """The indices of the samples in a shard."""
    size = plan.recipe.output.shard_size
    return range(shard * size, min((shard + 1) * size, plan.recipe.count))


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
    directory: OutputDirectory, pipeline: Pipeline, shard: int, made: Callable[[int], None]
) -> Mark:
    """Make and write one shard and its mark; ``made`` is told the number of samples since its last call."""
    plan = pipeline.plan
    samples = pipeline.samples(shard_indices(plan, shard))

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


@cache
def versions() -> dict[str, str]:
    """The versions of what decides the bytes, and the kind of processor."""
    import platform

    packages = ("synthgen", "torch", "numpy", "opencv-python-headless", "pillow", "isal")
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{package: version(package) for package in packages},
    }
