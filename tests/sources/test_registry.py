"""The table of sources: what each lists of a small data set of its own, and which are at whose root."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest

from synthgen.errors import InputError
from synthgen.evaluation.labelled import open_dataset
from synthgen.sources.base import LabelledSource, Source, TestImage
from synthgen.sources.recognise import source_for
from synthgen.sources.registry import SOURCES
from synthgen.storage.root import Root
from tests.sources.roots import build, mvtec, shard, tar, visa


def btad(folder: Path) -> str:
    files = ["train/ok/1.png", "train/ok/0.png", "test/ok/2.png", "test/ko/3.png", "ground_truth/ko/3.bmp"]
    return build(folder, "01/readme.txt", *[f"01/{file}" for file in files])


def tars(folder: Path) -> str:
    folder.mkdir()
    for number in (1, 0):
        (folder / f"00000{number}.tar").write_bytes(tar(shard(number)))
    return str(folder)


def pictures(folder: Path) -> str:
    return build(folder, "b.png", "a/c.png", "notes.txt")


def good_beside_others(folder: Path) -> str:
    return build(
        folder,
        *(f"OK/{n}.png" for n in range(5)),
        "NG/dent/7.png",
        "NG/b.png",
        "Mask/7_mask.png",
        "Mask/b.png",
    )


class Known(NamedTuple):
    """What a source is expected to list of its root; test images as (path, defect type, anomalous, mask)."""

    root: Callable[[Path], str] | None
    normals: list[str]
    is_at: list[str]
    """The sources that say they are at this root, in the order in which they are asked."""
    tests: dict[str, list[tuple[str, str, bool, str | None]]] | None = None
    has_tests_at: list[str] | None = None


CABLE_AND_BOTTLE = [f"{category}/train/good/00{n}.png" for category in ("bottle", "cable") for n in (0, 1)]
TESTS_OF_CABLE_AND_BOTTLE: dict[str, list[tuple[str, str, bool, str | None]]] = {
    category: [
        (f"{category}/test/broken/8.png", "broken", True, f"{category}/ground_truth/broken/8_mask.png"),
        (f"{category}/test/good/9.png", "good", False, None),
    ]
    for category in ("bottle", "cable")
}
ALIKE = ["mvtec", "mpdd", "folders"]
PHOTOGRAPHS = ("brick", "grass", "gravel")
KNOWN = {
    "visa": Known(
        visa,
        [f"candle/Data/Images/Normal/000{n}.JPG" for n in (0, 1)] + ["pcb1/Data/Images/Normal/0002.JPG"],
        ["visa", "folders"],
        {
            "candle": [
                ("candle/Data/Images/Anomaly/000.JPG", "anomaly", True, "candle/Data/Masks/Anomaly/000.png"),
                ("candle/Data/Images/Normal/0003.JPG", "normal", False, None),
            ]
        },
        ["visa", "folders"],
    ),
    "btad": Known(
        btad,
        ["01/train/ok/0.png", "01/train/ok/1.png"],
        ["btad", "folders"],
        {
            "01": [
                ("01/test/ko/3.png", "ko", True, "01/ground_truth/ko/3.bmp"),
                ("01/test/ok/2.png", "ok", False, None),
            ]
        },
        ["btad", *ALIKE],
    ),
    "mvtec": Known(mvtec, CABLE_AND_BOTTLE, ALIKE, TESTS_OF_CABLE_AND_BOTTLE, ALIKE),
    "mpdd": Known(mvtec, CABLE_AND_BOTTLE, ALIKE, TESTS_OF_CABLE_AND_BOTTLE, ALIKE),
    "webdataset": Known(tars, ["000000.tar/0_0.png", "000001.tar/1_0.png"], ["webdataset"]),
    "folders": Known(
        good_beside_others,
        [f"OK/{n}.png" for n in range(5)],
        ["folders"],
        {
            "set": [
                ("NG/b.png", "NG", True, "Mask/b.png"),
                ("NG/dent/7.png", "NG/dent", True, "Mask/7_mask.png"),
                ("OK/2.png", "good", False, None),
            ]
        },
        ["folders"],
    ),
    "folder": Known(pictures, ["a/c.png", "b.png"], []),
    "builtin": Known(None, [f"{name}/{n}.pgm" for name in PHOTOGRAPHS for n in range(4)], []),
}


@pytest.fixture(params=list(SOURCES))
def kind(request: pytest.FixtureRequest) -> str:
    """The name of each source of the table."""
    return str(request.param)


@pytest.fixture
def root(kind: str, tmp_path: Path) -> str | None:
    """A small data set of the source; None for one that has no root."""
    make = KNOWN[kind].root
    return make(tmp_path / "set") if make else None


@pytest.fixture
def source(kind: str, root: str | None) -> Source:
    return SOURCES[kind].model_validate({"path": root} if root else {})


def test_the_table_names_every_source_by_its_kind(kind: str, source: Source) -> None:
    assert source.kind == kind
    assert list(KNOWN) == list(SOURCES)


def test_normal_images_are_sorted_relative_and_readable(kind: str, source: Source) -> None:
    entries = source.entries()
    assert [entry.path for entry in entries] == KNOWN[kind].normals
    assert entries == sorted(entries, key=lambda entry: (entry.category, entry.path))
    for entry in entries:
        path = PurePosixPath(entry.path)
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert source.read(entry.path)


def test_labelled_test_images(kind: str, source: Source, root: str | None) -> None:
    expected = KNOWN[kind].tests
    assert (expected is not None) == isinstance(source, LabelledSource)
    if not isinstance(source, LabelledSource) or expected is None:
        return
    found = {category: list(source.tests(category)) for category in source.test_categories()}
    assert found == {name: [TestImage(*each) for each in tests] for name, tests in expected.items()}
    assert list(found) == sorted(found)
    normals = {entry.path for entry in source.fit_entries()}
    for image in (image for images in found.values() for image in images):
        assert image.path not in normals
        assert source.read(image.path)
        if image.mask:
            assert source.read(image.mask)
    last = list(expected)[-1]
    one = type(source).model_validate({"path": root, "categories": [last]})
    assert list(one.test_categories()) == [last]
    with pytest.raises(InputError, match="has no category 'none'"):
        type(source).model_validate({"path": root, "categories": ["none"]}).test_categories()


def test_who_is_at_a_root(kind: str, root: str | None) -> None:
    if root is None:
        return
    known = KNOWN[kind]
    there = Root(root)
    assert [name for name, each in SOURCES.items() if each.is_at(there)] == known.is_at
    labelled = {name: each for name, each in SOURCES.items() if issubclass(each, LabelledSource)}
    assert [name for name, each in labelled.items() if each.has_tests_at(there)] == (known.has_tests_at or [])
    assert source_for(root).kind == (known.is_at or ["folder"])[0]


def test_what_is_evaluated(kind: str, root: str | None) -> None:
    expected = KNOWN[kind].tests
    if root is None or expected is None:
        return
    dataset = open_dataset(root, kind)
    assert dataset.layout == kind
    assert list(dataset.categories()) == list(expected)
    assert open_dataset(root).layout == (KNOWN[kind].has_tests_at or [])[0]


def test_a_layout_without_labels_cannot_be_evaluated(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="data set 'folder' is not known"):
        open_dataset(pictures(tmp_path), "folder")


@pytest.mark.parametrize("normal", ["good", "ok"])
def test_test_images_alone_can_be_evaluated(tmp_path: Path, normal: str) -> None:
    """For a detector that was fitted elsewhere; normal images may have neither name, or be missing."""
    root = build(tmp_path / "set", f"nut/test/{normal}/0.png", "nut/test/crack/1.png")
    assert open_dataset(root).layout == {"good": "mvtec", "ok": "btad"}[normal]
    assert open_dataset(build(tmp_path / "bad", "nut/test/crack/1.png")).layout == "mvtec"
    with pytest.raises(InputError, match="may hold more than good products: test images by their names"):
        source_for(root).entries()
