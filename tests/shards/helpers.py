"""Small directories of real shards, and the means to falsify them so that only one thing is wrong."""

import io
import json
import tarfile
from collections.abc import Callable, Generator, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from synthgen.engines.base import Engine, News
from synthgen.engines.run import open_run
from synthgen.engines.worker import make_shard
from synthgen.pipeline.freeze import freeze
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe
from synthgen.sample import Facts
from synthgen.shards.card import manifest, timm_info, write_card
from synthgen.shards.mark import Mark
from synthgen.shards.reader import open_directory, read_marks, read_plan
from synthgen.shards.statistics import ShardStatistics
from synthgen.storage.output import OutputDirectory

Members = list[tuple[str, bytes]]
T = TypeVar("T")


class InlineEngine(Engine):
    """Makes the shards one after the other, in this process."""

    def run(self, plan: Plan, url: str, shards: Sequence[int]) -> Iterator[News]:
        pipeline, directory = Pipeline(plan), OutputDirectory(url)
        for shard in shards:
            yield News(finished=make_shard(directory, pipeline, shard, lambda count: None))

    def perform(self, perform: Callable[[T], None], tasks: Sequence[T]) -> Generator[T]:
        for task in tasks:
            perform(task)
            yield task


def write_normals(folder: Path, channels: int = 3, count: int = 4, side: int = 64) -> Path:
    """Write pictures of a smooth texture, all different."""
    folder.mkdir(parents=True)
    rows, columns = np.mgrid[:side, :side]
    for number in range(count):
        waves = [np.sin(rows / (3 + number + c)) + np.cos(columns / (4 + c)) for c in range(channels)]
        pixels = np.round(127 + 55 * np.dstack(waves)).astype(np.uint8)
        Image.fromarray(pixels.squeeze()).save(folder / f"good_{number}.png")
    return folder


def make_directory(out: Path, normals: Path, count: int = 20, **output: Any) -> Path:
    """Generate samples, a quarter of them normal, in shards of eight."""
    recipe = Recipe.model_validate(
        {
            "name": "waves",
            "seed": 5,
            "count": count,
            "source": {"kind": "folder", "path": str(normals), "held_out": 0.0},
            "size": "native",
            "normal_share": 0.25,
            "foreground": "all",
            "synthesizers": [{"method": "cutpaste"}, {"method": "smoothblend", "weight": 2}],
            "output": {"shard_size": 8, **output},
        }
    )
    run = open_run(freeze(recipe), str(out))
    for _ in run.make(InlineEngine()):
        pass
    return out


def members_of(tar: Path) -> Members:
    """Names and bytes of a tar's members, in order."""
    with tarfile.open(tar) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive]


def rewrite(directory: Path, shard: int, change: Callable[[Members], Members]) -> None:
    """Change members of a shard, and have its mark, the manifest and the card agree with the change."""
    tar = directory / f"{shard:06d}.tar"
    mark_path = tar.with_suffix(".json")
    members = change(members_of(tar))
    with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    spans: dict[str, list[int]] = {}
    with tarfile.open(tar) as archive:
        for member in archive:
            spans.setdefault(member.name.split(".")[0], []).extend((member.offset_data, member.size))
    mark = json.loads(mark_path.read_text())
    mark.update(
        sha256=sha256(tar.read_bytes()).hexdigest(),
        bytes=tar.stat().st_size,
        members=list(spans.values()),
    )
    try:
        facts = [Facts.model_validate_json(data) for name, data in members if name.endswith(".json")]
        mark["statistics"] = ShardStatistics.of(facts).model_dump()
    except ValueError:
        pass  # the facts themselves are falsified, and cannot be counted
    mark_path.write_text(Mark.model_validate(mark).model_dump_json())
    describe(directory)


def describe(directory: Path) -> None:
    """Write manifest, shard list and card anew from the marks."""
    opened = open_directory(directory)
    plan, marks = read_plan(opened), read_marks(opened)
    (directory / "manifest.json").write_text(json.dumps(manifest(marks, plan)))
    (directory / "_info.json").write_text(json.dumps(timm_info(marks)))
    (directory / "README.md").write_text(write_card(marks, plan))


def replace(name: str, change: Callable[[bytes], bytes]) -> Callable[[Members], Members]:
    """A change of one member's bytes."""

    def changed(members: Members) -> Members:
        assert name in dict(members), f"no member {name}"
        return [(each, change(data) if each == name else data) for each, data in members]

    return changed


def edit_facts(key: str, /, **fields: Any) -> Callable[[Members], Members]:
    """A change of some of a sample's facts."""
    return replace(f"{key}.json", lambda data: json.dumps(json.loads(data) | fields).encode())


def pixels_of(data: bytes) -> np.ndarray:
    """The pixels of an encoded image, by Pillow."""
    return np.array(Image.open(io.BytesIO(data)))


def png_of(pixels: np.ndarray, mode: str | None = None) -> bytes:
    """A PNG of pixels, by Pillow."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(buffer, "PNG")
    return buffer.getvalue()
