"""A bank gives the pixels and facts that plain tarfile and Pillow see, by one read, or one sentence."""

import json
import multiprocessing
import os
import pickle
import re
import shutil
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

import fsspec
import numpy as np
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from synthgen.engines.run import open_run
from synthgen.errors import InputError, RunError
from synthgen.pipeline.freeze import freeze
from synthgen.recipe.recipe import Recipe
from synthgen.shards.bank import Bank, open_bank
from synthgen.storage import byte_ranges
from tests.shards.helpers import (
    InlineEngine,
    Members,
    members_of,
    pixels_of,
    png_of,
    replace,
    rewrite,
    write_normals,
)

COUNT, SHARD_SIZE = 50, 8
CATEGORIES = {"cable": 2, "bottle": 7, "zipper": 1}


def make_bank(
    out: Path,
    sources: Path,
    channels: int = 3,
    spread: str = "images",
    full_frame: bool = True,
    **output: Any,
) -> Path:
    """Shards of whole-image anomalies of three categories, made without a diffusion model."""
    for side, (category, count) in enumerate(CATEGORIES.items(), 32):
        write_normals(sources / category / "train" / "good", channels, count, side)
    recipe = Recipe.model_validate(
        {
            "name": "bank",
            "seed": 4,
            "count": COUNT,
            "source": {"kind": "mvtec", "path": str(sources), "held_out": 0.0},
            "size": [24, 40],
            "spread": spread,
            "foreground": "all",
            "synthesizers": [{"method": "cutout", "fill": "random"}],
            "output": {"shard_size": SHARD_SIZE, **output},
        }
    )
    run = open_run(freeze(recipe), str(out))
    for _ in run.make(InlineEngine()):
        pass
    for shard in range(len(run.marks) if full_frame else 0):
        rewrite(out, shard, as_whole_images)
    return out


def as_whole_images(members: Members) -> Members:
    """The same images, whose facts say that they have no pair."""

    def unpaired(data: bytes) -> bytes:
        return json.dumps(json.loads(data) | {"paired": False}).encode()

    return [(name, unpaired(data) if name.endswith(".json") else data) for name, data in members]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bank")
    return make_bank(folder / "bank", folder / "normals")


@pytest.fixture
def directory(finished: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def stored(directory: Path) -> dict[int, tuple[np.ndarray, dict[str, Any]]]:
    """Image and facts of every index, by tarfile and Pillow."""
    seen = {}
    for tar in sorted(directory.glob("*.tar")):
        members = dict(members_of(tar))
        for name, data in members.items():
            key, _, extension = name.partition(".")
            if extension in ("png", "jpg", "webp"):
                seen[int(key)] = (pixels_of(data), json.loads(members[f"{key}.json"]))
    return seen


def told(kind: type[Exception], action: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("channels", "output"),
    [
        (3, {}),
        (1, {}),
        (3, {"keep_normal": True}),
        (3, {"image_format": "jpg"}),
        (1, {"image_format": "jpg"}),
        (3, {"image_format": "webp", "keep_normal": True}),
        (1, {"image_format": "webp"}),
    ],
)
def test_every_image_is_what_tarfile_and_pillow_see(
    tmp_path: Path, channels: int, output: dict[str, Any]
) -> None:
    directory = make_bank(tmp_path / "bank", tmp_path / "normals", channels, **output)
    bank, seen = open_bank(directory), stored(directory)
    assert sorted(seen) == list(range(COUNT))
    for index in Random(3).sample(range(COUNT), COUNT):
        image, (pixels, facts) = bank.read(index), seen[index]
        expected = pixels if channels == 3 else pixels.reshape(24, 40, -1)[..., :1]
        assert image.pixels.shape == (24, 40, channels)
        assert image.pixels.dtype == np.uint8
        assert np.array_equal(image.pixels, expected)
        assert image.facts.model_dump() == facts
        assert bank.facts(index) == image.facts


@pytest.mark.parametrize("spread", ["images", "categories"])
def test_members_are_the_indices_whose_facts_name_the_category(tmp_path: Path, spread: str) -> None:
    directory = make_bank(tmp_path / "bank", tmp_path / "normals", spread=spread)
    bank, seen = open_bank(directory), stored(directory)
    for category in CATEGORIES:
        expected = [index for index, (_, facts) in sorted(seen.items()) if facts["category"] == category]
        assert list(bank.members(category)) == expected
        assert expected
    sizes = [len(bank.members(category)) for category in CATEGORIES]
    assert sum(sizes) == COUNT
    assert (max(sizes) - min(sizes) <= 1) == (spread == "categories")


def test_what_is_pinned_is_small_and_always_the_same(finished: Path) -> None:
    bank = open_bank(finished)
    pinned = bank.pinned
    assert stored(finished)[0][1]["category"] != min(CATEGORIES)  # so that the order is no accident
    assert (pinned.size, pinned.channels, pinned.categories) == ((24, 40), 3, sorted(CATEGORIES))
    assert pinned.fingerprint == json.loads((finished / "plan.json").read_text())["fingerprint"]
    assert open_bank(f"{finished}/", pinned).pinned == pinned
    assert len(pinned.model_dump_json()) < 400


def test_an_unfinished_bank_has_its_finished_shards(directory: Path) -> None:
    (directory / "000001.json").unlink()
    (directory / "000003.json").unlink()
    (directory / "000003.tar").unlink()
    bank, seen = open_bank(directory), stored(directory)
    there = [index for index in range(COUNT) if index // SHARD_SIZE not in (1, 3)]
    assert sorted(index for category in CATEGORIES for index in bank.members(category)) == there
    assert all(np.array_equal(bank.read(index).pixels, seen[index][0]) for index in there)
    for index in (8, 15, 24, 31, COUNT, -1):
        assert told(InputError, lambda index=index: bank.read(index)) == (
            f"the bank {directory} has no finished image {index}"
        )


def test_a_mark_without_its_tar_is_told(directory: Path) -> None:
    (directory / "000003.tar").unlink()
    assert told(InputError, lambda: open_bank(directory)) == (
        f"the bank {directory}: 000003.tar is gone, and its mark is there; restore it, or delete the "
        "mark, to draw from the other shards"
    )


def test_the_mark_of_another_plan_does_not_count(directory: Path) -> None:
    path = directory / "000000.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fingerprint": "0" * 64}))
    assert told(InputError, lambda: open_bank(directory).read(0)).endswith("has no finished image 0")


@pytest.mark.parametrize("change", ["another tar", "a shard less"])
def test_a_bank_that_changed_since_the_plan_was_made_is_refused(directory: Path, change: str) -> None:
    pinned, pickled = open_bank(directory).pinned, pickle.dumps(open_bank(directory))
    if change == "another tar":
        rewrite(directory, 2, replace("000000016.cls", lambda data: b"0"))
    else:
        (directory / "000006.json").unlink()
    assert open_bank(directory).pinned != pinned
    for action in (lambda: open_bank(directory, pinned), lambda: pickle.loads(pickled)):
        assert told(RunError, action) == (
            f"the bank {directory} changed since the plan was made; restore it, or start in a new directory"
        )


def test_a_bank_that_is_gone_is_told_as_such(directory: Path) -> None:
    pinned = open_bank(directory).pinned
    shutil.rmtree(directory)
    assert told(RunError, lambda: open_bank(directory, pinned)) == (
        f"the bank {directory} could be opened when the plan was made, and now not any more "
        f"({directory} does not exist; give the directory that `synthgen generate` wrote)"
    )


def test_what_is_no_bank_is_told(directory: Path, tmp_path: Path) -> None:
    def refused(path: Path) -> str:
        return told(InputError, lambda: open_bank(path))

    assert refused(tmp_path / "none").endswith(
        "none does not exist; give the directory that `synthgen generate` wrote"
    )
    assert "has no plan.json, so it is not from synthgen" in refused(tmp_path)
    assert refused(directory / "plan.json").endswith(
        "is a file; expected the directory that `synthgen generate` wrote"
    )
    for mark in directory.glob("0*.json"):
        mark.unlink()
    assert refused(directory) == (
        f"the bank {directory} has no finished shard yet; run `synthgen generate` first"
    )


def test_samples_that_are_no_whole_images_make_no_bank(tmp_path: Path) -> None:
    directory = make_bank(tmp_path / "bank", tmp_path / "normals", full_frame=False)
    ending = (
        "are normal, rejected or defects in a normal image; generate a bank with sdas-image alone and "
        "normal_share: 0"
    )
    assert told(InputError, lambda: open_bank(directory)) == (
        f"{directory} is no bank: 8 of the 8 samples of 000000.tar {ending}"
    )
    for shard in range(7):
        rewrite(directory, shard, as_whole_images)
    normal = {"outcome": "normal", "label": 0, "paired": True}
    rewrite(
        directory,
        5,
        replace("000000043.json", lambda data: json.dumps(json.loads(data) | normal).encode()),
    )
    assert told(InputError, lambda: open_bank(directory)) == (
        f"{directory} is no bank: 1 of the 8 samples of 000005.tar {ending}"
    )


def test_a_category_without_images_is_told(finished: Path) -> None:
    assert told(InputError, lambda: open_bank(finished).members("botle")) == (
        f"the bank {finished} has no image of the category 'botle', only of bottle, cable, zipper; "
        "did you mean bottle?"
    )


def test_a_bank_whose_plan_chooses_otherwise_is_refused(directory: Path) -> None:
    plan = json.loads((directory / "plan.json").read_text())
    plan["recipe"]["seed"] += 1
    (directory / "plan.json").write_text(json.dumps(plan))
    assert told(InputError, lambda: open_bank(directory)) == (
        f"the bank {directory}: 000000.tar has other categories than its plan chooses; it was made by "
        "another version of synthgen, generate it again"
    )


def change_mark(directory: Path, shard: int, change: Callable[[dict[str, Any]], object]) -> None:
    path = directory / f"{shard:06d}.json"
    mark = json.loads(path.read_text())
    change(mark)
    path.write_text(json.dumps(mark))


@pytest.mark.parametrize(
    "change",
    [
        lambda mark: mark["members"].pop(),
        lambda mark: mark["members"][3].pop(),
        lambda mark: mark["extensions"].remove("png"),
    ],
)
def test_a_mark_without_the_places_is_told(
    directory: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    change_mark(directory, 4, change)
    assert told(InputError, lambda: open_bank(directory)) == (
        f"the bank {directory}: the mark of 000004.tar does not say where its samples and their png images "
        "are; delete it and generate the shard again"
    )


def shift_places(mark: dict[str, Any]) -> None:
    mark["members"] = mark["members"][1:] + mark["members"][:1]


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda directory: (directory / "000002.tar").unlink(), "No such file or directory"),
        (lambda directory: cut_short(directory / "000002.tar"), "the file ends before byte "),
        (lambda directory: (directory / "000002.tar").write_bytes(bytes(10**6)), "found no facts"),
    ],
)
def test_a_tar_that_changed_while_the_bank_is_open_is_told(
    directory: Path, damage: Callable[[Path], object], reason: str
) -> None:
    bank = open_bank(directory)
    damage(directory)
    for action in (lambda: bank.read(20), lambda: bank.facts(20)):
        message = told(RunError, action)
        assert message.startswith(
            f"the bank {directory}: 000002.tar does not hold image 20 where its mark says ({reason}"
        )
        assert message.endswith(f"); see `synthgen verify {directory}`")
    assert bank.read(24).facts.index == 24


def test_an_image_in_anothers_place_is_told(directory: Path) -> None:
    change_mark(directory, 1, shift_places)
    assert "found sample 000000010 of the plan" in told(RunError, lambda: open_bank(directory).read(9))


def test_an_image_of_another_size_or_a_damaged_one_is_told(directory: Path) -> None:
    rewrite(directory, 0, replace("000000003.png", lambda data: data[:200]))
    assert "damaged" in told(RunError, lambda: open_bank(directory).read(3))
    other = png_of(np.zeros((24, 24, 3), np.uint8))
    rewrite(directory, 0, replace("000000003.png", lambda data: other))
    assert "found an image of (24, 24, 3), expected (24, 40, 3)" in told(
        RunError, lambda: open_bank(directory).read(3)
    )


def test_a_pickled_bank_reads_the_same(finished: Path) -> None:
    bank = open_bank(finished)
    bank.read(5)
    again = pickle.loads(pickle.dumps(bank))
    assert again.pinned == bank.pinned
    assert all(np.array_equal(again.read(index).pixels, bank.read(index).pixels) for index in range(COUNT))


def read_many(bank: Bank, seed: int) -> list[tuple[int, bytes]]:
    indices = Random(seed).choices(range(COUNT), k=300)
    return [(index, bank.read(index).pixels.tobytes()) for index in indices]


def _answer(connection: Connection, bank: Bank, seed: int) -> None:
    connection.send(read_many(bank, seed))


def read_in_forks(bank: Bank) -> Iterator[list[tuple[int, bytes]]]:
    """What this process and two forks of it read at the same time."""
    context = multiprocessing.get_context("fork")
    pairs = [context.Pipe(duplex=False) for _ in range(2)]
    workers = [
        context.Process(target=_answer, args=(pair[1], bank, seed)) for seed, pair in enumerate(pairs, 1)
    ]
    for worker in workers:
        worker.start()
    yield read_many(bank, 0)
    for worker, (receiving, sending) in zip(workers, pairs, strict=True):
        sending.close()
        yield receiving.recv()
        worker.join()


def test_forks_of_a_bank_in_use_read_the_same(finished: Path) -> None:
    bank, seen = open_bank(finished), stored(finished)
    read_many(bank, 9)
    for answers in read_in_forks(bank):
        assert len(answers) == 300
        assert all(data == seen[index][0].tobytes() for index, data in answers)


def held_tars(directory: Path) -> dict[str, int]:
    """The tars of a directory that this process has open, and where each is to be read next."""
    held = {}
    for link in Path("/proc/self/fd").iterdir():
        path = Path(link.readlink()) if link.is_symlink() else link
        if path.parent == directory and path.suffix == ".tar":
            [position] = re.findall(r"pos:\s*(\d+)", Path(f"/proc/self/fdinfo/{link.name}").read_text())
            held[path.stem] = int(position)
    return held


def test_few_files_stay_open_those_that_were_used_last(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(byte_ranges, "MOST_OPEN", 3)
    bank, most = open_bank(finished), 0
    for index in Random(4).choices(range(COUNT), k=200):
        bank.read(index)
        most = max(most, len(held_tars(finished)))
    assert most == 3
    for shard in (0, 1, 2, 0, 3):
        bank.read(shard * SHARD_SIZE)
    assert held_tars(finished).keys() == {"000002", "000000", "000003"}


def test_reading_moves_no_position_that_forks_would_share(finished: Path) -> None:
    bank = open_bank(finished)
    read_many(bank, 6)
    held = held_tars(finished)
    assert len(held) == 7
    assert set(held.values()) == {0}


class CountedFileSystem(DirFileSystem):
    """A file system that is not local, counts what is read of it, and does not survive a fork."""

    protocol = "counted"
    cachable = True

    def __init__(self, **options: Any) -> None:
        super().__init__("/", LocalFileSystem(), **options)
        self.process = os.getpid()
        self.pieces: list[int] = []

    def cat_file(self, path: str, start: Any = None, end: Any = None, **options: Any) -> bytes:
        assert self.process == os.getpid(), "used after a fork"
        data = super().cat_file(path, start, end, **options)
        self.pieces.append(len(data))
        return bytes(data)


@pytest.fixture
def remote() -> Iterator[CountedFileSystem]:
    fsspec.register_implementation("counted", CountedFileSystem, clobber=True)
    yield fsspec.filesystem("counted")
    CountedFileSystem.clear_instance_cache()


def test_a_remote_bank_is_read_by_one_small_piece_an_image(finished: Path, remote: CountedFileSystem) -> None:
    bank, seen = open_bank(f"counted://{finished}"), stored(finished)
    assert bank.pinned == open_bank(finished).pinned
    sizes = [tar.stat().st_size for tar in finished.glob("*.tar")]
    remote.pieces.clear()
    for index in range(COUNT):
        assert np.array_equal(bank.read(index).pixels, seen[index][0])
    assert len(remote.pieces) == COUNT
    assert max(remote.pieces) < min(sizes)
    assert sum(remote.pieces) < sum(sizes)
    facts_only = bank.facts(7)
    assert facts_only.index == 7
    assert remote.pieces[-1] < remote.pieces[7]


def test_a_remote_bank_is_read_by_forks(finished: Path, remote: CountedFileSystem) -> None:
    seen = stored(finished)
    for answers in read_in_forks(open_bank(f"counted://{finished}")):
        assert all(data == seen[index][0].tobytes() for index, data in answers)
