"""Normal images out of tar shards, with shards written by plain tarfile and by webdataset itself."""

import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import pytest

from synthgen.errors import InputError
from synthgen.sources.recognise import source_for
from synthgen.sources.webdataset import WebDatasetSource
from synthgen.storage import root as files
from tests.sources.roots import shard, tar


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    for number in range(4):
        (folder / f"00000{number}.tar").write_bytes(tar(shard(number)))
    (folder / "000000.json").write_text("{}")
    return folder


def contents(source: WebDatasetSource) -> dict[str, bytes]:
    return {entry.path: source.read(entry.path) for entry in source.entries()}


def expected(*numbers: int) -> dict[str, bytes]:
    return {f"00000{number}.tar/{number}_0.png": b"normal %d" % number for number in numbers}


def test_a_folder_a_tar_and_globs(shards: Path) -> None:
    assert contents(WebDatasetSource(path=str(shards))) == expected(0, 1, 2, 3)
    assert contents(WebDatasetSource(path=f"{shards}/000002.tar")) == expected(2)
    assert contents(WebDatasetSource(path=f"{shards}/{{000001..000003}}.tar")) == expected(1, 2, 3)
    assert contents(WebDatasetSource(path=f"{shards}/{{0..0}}{{00000..00001}}.tar")) == expected(0, 1)
    assert contents(WebDatasetSource(path=f"{shards}/*[13].tar")) == expected(1, 3)
    assert {entry.category for entry in WebDatasetSource(path=str(shards)).entries()} == {"shards"}


def test_globs_over_folders_keep_equal_names_apart(shards: Path) -> None:
    (shards / "b").mkdir()
    (shards / "b" / "000000.tar").write_bytes(tar({"x.png": b"other"}))
    source = WebDatasetSource(path=f"{shards.parent}/shards*/**/000000.tar")
    assert contents(source) == {
        "shards/000000.tar/0_0.png": b"normal 0",
        "shards/b/000000.tar/x.png": b"other",
    }


def test_relative_paths_and_urls(shards: Path, monkeypatch: pytest.MonkeyPatch, memory_folder: str) -> None:
    import fsspec

    monkeypatch.chdir(shards)
    assert contents(WebDatasetSource(path="000001.tar")) == expected(1)
    assert contents(WebDatasetSource(path="{000000..000001}.tar")) == expected(0, 1)
    for number in range(2):
        fsspec.filesystem("memory").pipe(f"{memory_folder}/00000{number}.tar", tar(shard(number)))
    for url in (memory_folder, f"{memory_folder}/{{000000..000001}}.tar", f"{memory_folder}/*.tar"):
        assert contents(WebDatasetSource(path=url)) == expected(0, 1)


def test_a_name_with_magic_characters_that_exists_is_taken_literally(shards: Path) -> None:
    renamed = shards.rename(shards.with_name("set [1] {0..1}"))
    assert contents(WebDatasetSource(path=str(renamed))) == expected(0, 1, 2, 3)
    assert contents(WebDatasetSource(path=f"{renamed}/000003.tar")) == expected(3)


def test_which_members_are_normal_images(tmp_path: Path) -> None:
    members = {
        "unlabelled.JPG": b"a",
        "zero.cls": b"0\n",
        "zero.tiff": b"b",
        "late.webp": b"c",
        "late.cls": b" 0 ",
        "one.cls": b"1",
        "one.png": b"no",
        "named.cls": b"good",
        "named.png": b"no",
        "dir.with.dots/deep.png": b"d",
        "dir.with.dots/one.png": b"e",
        "two.extensions.png": b"no",
        ".hidden.png": b"no",
        "text.txt": b"no",
        "bare": b"no",
    }
    (tmp_path / "x.tar").write_bytes(tar(members))
    assert contents(WebDatasetSource(path=str(tmp_path))) == {
        "x.tar/dir.with.dots/deep.png": b"d",
        "x.tar/dir.with.dots/one.png": b"e",
        "x.tar/late.webp": b"c",
        "x.tar/unlabelled.JPG": b"a",
        "x.tar/zero.tiff": b"b",
    }


def test_links_and_folders_in_a_tar_are_not_images(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name, kind in (("link.png", tarfile.SYMTYPE), ("folder.png", tarfile.DIRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/hostname"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("real.png"), io.BytesIO())
    assert contents(WebDatasetSource(path=str(tmp_path))) == {"x.tar/real.png": b""}


def test_what_webdataset_writes(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    with webdataset.TarWriter(str(tmp_path / "w.tar")) as writer:
        writer.write({"__key__": "a/000", "png": b"good", "cls": b"0", "mask.png": b"zero"})
        writer.write({"__key__": "a/001", "png": b"bad", "cls": b"1", "mask.png": b"one"})
    assert contents(WebDatasetSource(path=str(tmp_path / "w.tar"))) == {"w.tar/a/000.png": b"good"}


def test_a_tar_is_scanned_once_and_read_where_the_image_lies(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = WebDatasetSource(path=str(shards))
    entries = source.entries()
    monkeypatch.setattr(tarfile, "open", lambda **options: pytest.fail("the tar was scanned again"))
    assert source.entries() == entries
    assert source.read("000003.tar/3_0.png") == b"normal 3"
    again = pickle.loads(pickle.dumps(source))
    assert again == source == WebDatasetSource(path=str(shards))
    assert again.read("000003.tar/3_0.png") == b"normal 3"
    assert source.model_dump() == {
        "kind": "webdataset",
        "held_out": 0.2,
        "max_megapixels": 64,
        "path": str(shards),
    }


def test_reading_is_bounded(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from synthgen.sources import webdataset

    monkeypatch.setattr(webdataset, "MAX_BYTES", 3)
    assert WebDatasetSource(path=str(shards)).read("000000.tar/0_0.png") == b"norm"


def test_an_unlisted_member_is_an_oserror(shards: Path) -> None:
    for path in ("000000.tar/0_1.png", "000000.tar/0_0.mask.png", "000009.tar/0_0.png", "../x"):
        with pytest.raises(OSError, match="is not a normal image of"):
            WebDatasetSource(path=str(shards)).read(path)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none", "none does not exist"),
        ("none.tar", "none.tar does not exist"),
        ("{000002..000005}.tar", r"names 000004\.tar, and there is no such file"),
        ("x*.tar", r"names x\*\.tar"),
        ("{5..2}.tar", "must count upwards"),
        ("{0..99999999999}.tar", "at most 100000 shards"),
        ("{0..9999}{0..9999}.tar", "at most 100000 shards"),
        ("..", "has no .tar or .tar.gz file"),
    ],
)
def test_wrong_paths(shards: Path, path: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        WebDatasetSource(path=f"{shards}/{path}").entries()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"this is not a tar" * 100, "is not a complete, uncompressed tar"),
        (tar(shard(0), "w:gz"), "is not a complete, uncompressed tar"),
        (tar({"a.png": bytes(5000)})[:3000], "is not a complete, uncompressed tar"),
        (tar({"a.txt": b""}), "has no normal image"),
        (tar({"a.png": b"", "a.cls": b"1"}), "has no normal image"),
    ],
)
def test_bad_tars(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(InputError, match=reason):
        WebDatasetSource(path=str(tmp_path)).entries()


def test_a_tar_that_cannot_be_opened(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.Root, "open", refuse)
    with pytest.raises(InputError, match=r"000000\.tar in .*Permission denied"):
        WebDatasetSource(path=str(shards)).entries()


def test_detection(shards: Path) -> None:
    for path in (str(shards), f"{shards}/000001.tar", f"{shards}/{{000000..000001}}.tar"):
        assert source_for(path) == WebDatasetSource(path=path)
    with pytest.raises(InputError, match="webdataset source, which has no categories"):
        source_for(str(shards), ["a"])


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz"])
def test_packed_tars_are_read_as_unpacked_ones(tmp_path: Path, suffix: str) -> None:
    for number in range(3):
        (tmp_path / f"{number}{suffix}").write_bytes(tar(shard(number), "w:gz"))
    images = {f"{number}{suffix}/{number}_0.png": b"normal %d" % number for number in range(3)}
    one = {f"1{suffix}/1_0.png": b"normal 1"}
    assert contents(WebDatasetSource(path=str(tmp_path))) == images
    assert contents(WebDatasetSource(path=f"{tmp_path}/1{suffix}")) == one
    assert contents(WebDatasetSource(path=f"{tmp_path}/{{0..2}}{suffix}")) == images
    for path in (f"{tmp_path}/1{suffix}", f"{tmp_path}/*{suffix}", str(tmp_path)):
        assert isinstance(source_for(path), WebDatasetSource)
    source = WebDatasetSource(path=str(tmp_path))
    assert source.listing().entries
    assert contents(pickle.loads(pickle.dumps(source))) == images


def test_packed_tars_beside_pictures_or_tars_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "download.tar.gz").write_bytes(tar(shard(0), "w:gz"))
    (tmp_path / "monday").mkdir()
    (tmp_path / "monday" / "1.png").write_bytes(b"1")
    assert source_for(str(tmp_path)).kind == "folder"
    (tmp_path / "0.tar").write_bytes(tar(shard(1)))
    assert contents(WebDatasetSource(path=str(tmp_path))) == {"0.tar/1_0.png": b"normal 1"}


def test_damaged_packed_tars(tmp_path: Path) -> None:
    packed = tar(shard(0), "w:gz")
    for name, content in (
        ("cut", packed[: len(packed) // 2]),
        ("no", b"no gzip at all"),
        ("flat", tar(shard(0))),
    ):
        (tmp_path / f"{name}.tar.gz").write_bytes(content)
        with pytest.raises(InputError, match=rf"^{name}\.tar\.gz in .* is not a complete, gzipped tar: "):
            WebDatasetSource(path=f"{tmp_path}/{name}.tar.gz").entries()


def test_other_formats_and_names_that_are_no_text_are_passed_over(tmp_path: Path) -> None:
    members = {"a.png": b"a", "b.gif": b"b", "c.avif": b"c", "d\udcff.png": b"d", "e\udcff.json": b"{}"}
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        for name in members:
            archive.addfile(tarfile.TarInfo(name))
    found = WebDatasetSource(path=str(tmp_path / "x.tar")).listing()
    assert [entry.path for entry in found.entries] == ["x.tar/a.png"]
    assert found.other_formats == ["x.tar/b.gif", "x.tar/c.avif"]
    assert found.strays == [(r"x.tar/d\udcff.png", "is not a UTF-8 name; rename it")]
