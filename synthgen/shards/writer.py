"""Writing one shard: the tar under a temporary name, then its mark."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.metadata import version

from synthgen.pipeline import Pipeline
from synthgen.plan import Plan
from synthgen.sample import FORMAT_VERSION, Facts
from synthgen.shards import tar
from synthgen.shards.directory import OutputDirectory, start_writing_back
from synthgen.shards.encode import encode, extensions
from synthgen.shards.mark import Mark, mark_name, shard_name
from synthgen.shards.statistics import ShardStatistics

SAMPLES_PER_REPORT = 16
WRITE_BACK_BYTES = 8 * 1024 * 1024


def shard_count(plan: Plan) -> int:
    """How many shards a plan has."""
    return -(-plan.recipe.count // plan.recipe.output.shard_size)


def shard_indices(plan: Plan, shard: int) -> range:
    """The indices of the samples in a shard."""
    size = plan.recipe.output.shard_size
    return range(shard * size, min((shard + 1) * size, plan.recipe.count))


def write_shard(
    directory: OutputDirectory, pipeline: Pipeline, shard: int, made: Callable[[int], None]
) -> Mark:
    """Make and write one shard and its mark; ``made`` is told the number of samples since its last call."""
    plan = pipeline.plan
    indices, names = shard_indices(plan, shard), extensions(plan.recipe.output)
    digest, position, written_back = sha256(), 0, 0
    places: list[list[int]] = []
    facts: list[Facts] = []
    with directory.open_for_writing(shard_name(shard)) as file:
        for sample in pipeline.samples(indices):
            members = encode(sample, plan.recipe.output)
            pieces, place = [], []
            for name in names:
                data = members[name]
                pieces += [tar.header(f"{sample.facts.key}.{name}", len(data)), data, tar.padding(len(data))]
                place += [position + tar.BLOCK, len(data)]
                position += tar.BLOCK + len(data) + len(pieces[-1])
            block = b"".join(pieces)
            digest.update(block)
            file.write(block)
            places.append(place)
            facts.append(sample.facts)
            if position - written_back >= WRITE_BACK_BYTES:
                start_writing_back(file, written_back, position)
                written_back = position
            if len(facts) % SAMPLES_PER_REPORT == 0:
                made(SAMPLES_PER_REPORT)
        digest.update(tar.END_OF_ARCHIVE)
        file.write(tar.END_OF_ARCHIVE)
    mark = Mark(
        format_version=FORMAT_VERSION,
        shard=shard_name(shard),
        sha256=digest.hexdigest(),
        bytes=position + len(tar.END_OF_ARCHIVE),
        first_index=indices.start,
        count=len(indices),
        fingerprint=plan.fingerprint,
        extensions=names,
        members=places,
        statistics=ShardStatistics.of(facts),
        versions=versions(),
    )
    directory.write(mark_name(shard), mark.model_dump_json().encode())
    directory.sync()
    made(len(facts) % SAMPLES_PER_REPORT)
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
