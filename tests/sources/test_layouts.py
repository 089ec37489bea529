"""Folders and the layouts of the benchmarks: exactly the training-normal images, in one order."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from synthgen.errors import InputError
from synthgen.sources.base import Entry, Source
from synthgen.sources.btad import BtadSource
from synthgen.sources.folder import FolderSource
from synthgen.sources.mpdd import MpddSource
from synthgen.sources.mvtec import MvtecSource
from synthgen.sources.recognise import source_for
from synthgen.sources.registry import AnySource
from synthgen.sources.visa import VisaSource
from tests.sources.roots import build, mvtec, visa


def listed(source: Source) -> list[str]:
    """The paths of the entries, each of them checked to be readable."""
    entries = source.entries()
    assert [(e.category, e.path) for e in entries] == sorted((e.category, e.path) for e in entries)
    for entry in entries:
        assert source.read(entry.path).endswith(entry.path.encode())
    return [entry.path for entry in entries]


def test_folder_takes_every_image_below_it(tmp_path: Path) -> None:
    root = build(
        tmp_path / "my product", "b.png", "sub/a.JPG", "sub/deep/c.tiff", "notes.txt", ".d.png", "e.PNG.part"
    )
    source = FolderSource(path=root)
    assert listed(source) == ["b.png", "sub/a.JPG", "sub/deep/c.tiff"]
    assert {entry.category for entry in source.entries()} == {"my_product"}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*", ["a.png", "x/a.png", "x/y/b.png"]),
        ("*", ["a.png"]),
        ("x/**", ["x/a.png", "x/y/b.png"]),
        ("**/a.png", ["a.png", "x/a.png"]),
        ("*/[!a]*/b.*", ["x/y/b.png"]),
    ],
)
def test_folder_with_a_pattern(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    root = build(tmp_path / "product [7]", "a.png", "x/a.png", "x/y/b.png")
    assert listed(FolderSource(path=root, pattern=pattern)) == expected


def test_folder_without_a_matching_image(tmp_path: Path) -> None:
    root = build(tmp_path, "a.png", "b.txt")
    with pytest.raises(InputError, match=r"has no image that matches 'x/\*'"):
        FolderSource(path=root, pattern="x/*").entries()
    with pytest.raises(InputError, match="does not exist"):
        FolderSource(path=str(tmp_path / "none")).entries()
    with pytest.raises(ValidationError, match="path component"):
        FolderSource(path=root, pattern="a**")


@pytest.mark.parametrize(
    ("kind", "normal"),
    [(MvtecSource, "train/good"), (MpddSource, "train/good"), (BtadSource, "train/ok")],
)
def test_category_layouts(tmp_path: Path, kind: type[MvtecSource], normal: str) -> None:
    root = mvtec(tmp_path / "set", normal)
    expected = [f"{category}/{normal}/00{n}.png" for category in ("bottle", "cable") for n in (0, 1)]
    assert listed(kind(path=root)) == expected
    assert listed(kind(path=root, categories=["cable", "cable"])) == expected[2:]
    assert kind(path=root).entries()[2] == Entry(expected[2], "cable")

    one = kind(path=f"{root}/cable")
    assert listed(one) == [f"{normal}/000.png", f"{normal}/001.png"]
    assert one.entries()[0].category == "cable"
    assert listed(kind(path=f"{root}/cable", categories=["cable"])) == listed(one)

    with pytest.raises(InputError, match=r"'botle', only bottle, cable; did you mean bottle\?"):
        kind(path=root, categories=["bottle", "botle"]).entries()
    with pytest.raises(InputError, match=f"no folder <category>/{normal}"):
        kind(path=f"{root}/extra").entries()
    build(tmp_path / "set", f"empty/{normal}/readme.txt")
    with pytest.raises(InputError, match=f"no image in empty/{normal}"):
        kind(path=root).entries()


def test_visa_takes_the_training_normals_of_its_split_file(tmp_path: Path) -> None:
    source = VisaSource(path=visa(tmp_path))
    normal = "Data/Images/Normal"
    expected = [f"candle/{normal}/0000.JPG", f"candle/{normal}/0001.JPG", f"pcb1/{normal}/0002.JPG"]
    assert listed(source) == expected
    assert [entry.category for entry in source.entries()] == ["candle", "candle", "pcb1"]
    assert listed(VisaSource(path=str(tmp_path), categories=["pcb1"])) == expected[2:]
    with pytest.raises(InputError, match="did you mean candle"):
        VisaSource(path=str(tmp_path), categories=["candles"]).entries()


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("object,split,image\na,train,x.png\n", "no column label"),
        ("object,split,label,image\na,test,normal,x.png\n", "no row with split 'train'"),
        ("", "no row with split 'train'"),
    ],
)
def test_visa_with_a_wrong_split_file(tmp_path: Path, rows: str, reason: str) -> None:
    build(tmp_path, "split_csv/1cls.csv")
    (tmp_path / "split_csv/1cls.csv").write_text(rows)
    with pytest.raises(InputError, match=reason):
        VisaSource(path=str(tmp_path)).entries()


def test_visa_without_or_with_a_damaged_split_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"split_csv/1cls\.csv cannot be read: no such file"):
        VisaSource(path=str(tmp_path)).entries()
    build(tmp_path, "split_csv/1cls.csv")
    (tmp_path / "split_csv/1cls.csv").write_bytes(b"object,split\xff\xfe")
    with pytest.raises(InputError, match="is no VisA data set"):
        VisaSource(path=str(tmp_path)).entries()


def test_layouts_in_memory(memory_folder: str) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    for name in ("bottle/train/good/0.png", "bottle/test/good/1.png", "bottle/train/good/.x.png"):
        memory.pipe(f"{memory_folder}/{name}", name.encode())
    source = source_for(memory_folder)
    assert source == MvtecSource(path=memory_folder)
    assert listed(source) == ["bottle/train/good/0.png"]
    assert listed(source_for(f"{memory_folder}/bottle/test")) == ["good/1.png"]


def test_detection(tmp_path: Path) -> None:
    normals = mvtec(tmp_path / "mvtec")
    assert source_for(normals) == MvtecSource(path=normals)
    assert source_for(normals, ["bottle"]) == MvtecSource(path=normals, categories=["bottle"])
    assert source_for(f"{normals}/bottle") == MvtecSource(path=f"{normals}/bottle")
    okay = mvtec(tmp_path / "btad", "train/ok")
    assert source_for(okay) == BtadSource(path=okay)
    assert source_for(f"{okay}/cable") == BtadSource(path=f"{okay}/cable")
    rows = visa(tmp_path / "visa")
    assert source_for(rows, ["candle"]) == VisaSource(path=rows, categories=["candle"])
    plain = build(tmp_path / "plain", "a.png", "b/c.png")
    assert source_for(plain) == FolderSource(path=plain)
    with pytest.raises(InputError, match=r"folder source, which has no categories, so a, b cannot"):
        source_for(plain, ["a", "b"])
    with pytest.raises(InputError, match="does not exist"):
        source_for(f"{plain}/none")
    with pytest.raises(InputError, match="is a file"):
        source_for(f"{plain}/a.png")


class Holder(BaseModel):
    source: AnySource


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "folder", "path": "x", "pattern": "*.png"},
        {"kind": "mvtec", "path": "x", "categories": ["a"]},
        {"kind": "mpdd", "path": "x"},
        {"kind": "visa", "path": "x", "held_out": 0.5},
        {"kind": "btad", "path": "x"},
        {"kind": "webdataset", "path": "x/{000000..000003}.tar"},
        {"kind": "builtin", "categories": ["coins"]},
    ],
)
def test_every_kind_is_read_and_written_as_data(fields: dict[str, Any]) -> None:
    holder = Holder.model_validate({"source": fields})
    assert holder.source.kind == fields["kind"]
    dumped = json.loads(holder.model_dump_json())["source"]
    assert fields.items() <= dumped.items()
    assert Holder.model_validate({"source": dumped}) == holder


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "photos", "path": "x"},
        {"path": "x"},
        {"kind": "folder"},
        {"kind": "folder", "path": ""},
        {"kind": "mvtec", "path": "x", "categories": []},
        {"kind": "mvtec", "path": "x", "category": "a"},
        {"kind": "builtin", "categories": ["bricks"]},
        {"kind": "builtin", "path": "x"},
    ],
)
def test_wrong_fields_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Holder.model_validate({"source": fields})


@pytest.mark.needs_data
def test_the_development_data(data: Path) -> None:
    bottle = MvtecSource(path=str(data / "data/mvtec"), categories=["bottle"])
    entries = bottle.entries()
    assert len(entries) == 209
    assert entries[0] == Entry("bottle/train/good/000.png", "bottle")
    assert bottle.read(entries[208].path).startswith(b"\x89PNG")
    tiles = MvtecSource(path=str(data / "data/magnetic_tile")).entries()
    assert len(tiles) == 200
    assert {entry.category for entry in tiles} == {"magnetic_tile"}
