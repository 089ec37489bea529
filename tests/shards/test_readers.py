"""The shards open where people read them, and all readers see the same pixels and facts."""

import io
import json
import pickle
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthgen.errors import InputError
from synthgen.sample import Facts
from synthgen.shards.reader import open_directory, read_marks, read_plan, read_sample, read_samples
from tests.permissions import modes_obeyed
from tests.shards.helpers import members_of, pixels_of

Seen = dict[str, tuple[np.ndarray, np.ndarray, int, dict[str, Any]]]
"""Key → image, mask, class and facts."""


@pytest.fixture(scope="module")
def by_tarfile(shard_directory: Path) -> Seen:
    seen: Seen = {}
    for tar in sorted(shard_directory.glob("*.tar")):
        members = dict(members_of(tar))
        for key in sorted({name.split(".")[0] for name in members}):
            image, mask = (pixels_of(members[f"{key}.{name}"]) for name in ("png", "mask.png"))
            facts = json.loads(members[f"{key}.json"])
            seen[key] = (image, mask, int(members[f"{key}.cls"]), facts)
    return seen


def assert_equal(seen: Seen, expected: Seen) -> None:
    assert sorted(seen) == sorted(expected)
    for key, (image, mask, label, facts) in seen.items():
        assert np.array_equal(image, expected[key][0])
        assert mask.ndim == 2
        assert np.array_equal(mask, expected[key][1])
        assert label == expected[key][2]
        assert facts == expected[key][3]
        assert {name: type(value) for name, value in facts.items()} == {
            name: type(value) for name, value in expected[key][3].items()
        }


def test_tarfile_sees_masks_that_tell_the_truth(by_tarfile: Seen) -> None:
    assert list(by_tarfile) == [f"{index:09d}" for index in range(20)]
    for key, (image, mask, label, values) in by_tarfile.items():
        facts = Facts.model_validate(values, strict=True)
        assert image.shape == (facts.height, facts.width, facts.channels)
        assert set(np.unique(mask)) <= {0, 255}
        assert np.count_nonzero(mask) == facts.area_pixels
        assert (facts.area_pixels > 0) == (label == 1) == (facts.outcome == "anomalous")
        assert facts.key == key


def test_the_tar_holds_nothing_of_this_machine(shard_directory: Path) -> None:
    with tarfile.open(shard_directory / "000000.tar") as archive:
        for member in archive:
            assert member.isreg()
            assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
            assert member.mode == 0o644


def picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("workers", [0, 2])
def test_webdataset_sees_the_same(shard_directory: Path, by_tarfile: Seen, workers: int) -> None:
    import webdataset
    from torch.utils.data import DataLoader

    samples = (
        webdataset.WebDataset(f"{shard_directory}/{{000000..000002}}.tar", shardshuffle=False)
        .decode(webdataset.handle_extension("png", picture))
        .to_tuple("__key__", "png", "mask.png", "cls", "json")
    )
    seen: Seen = {}
    for key, image, mask, label, facts in DataLoader(samples, batch_size=None, num_workers=workers):
        assert key not in seen
        seen[key] = (np.array(image), np.array(mask), label, facts)
    assert_equal(seen, by_tarfile)


def test_webdatasets_own_decoders_keep_the_pixels(shard_directory: Path, by_tarfile: Seen) -> None:
    import webdataset

    for spec, mask_of in (("rgb8", lambda mask: mask[..., 0]), ("l8", lambda mask: mask)):
        dataset = webdataset.WebDataset(f"{shard_directory}/000000.tar", shardshuffle=False).decode(spec)
        for sample in dataset:
            assert np.array_equal(mask_of(sample["mask.png"]), by_tarfile[sample["__key__"]][1])


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Hugging Face libraries without network, with a cache of their own."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    yield tmp_path / "hf-cache"


@pytest.mark.parametrize("streaming", [True, False])
def test_hugging_face_datasets_sees_the_same(
    shard_directory: Path, by_tarfile: Seen, offline: Path, streaming: bool
) -> None:
    import datasets

    tars = [str(path) for path in sorted(shard_directory.glob("*.tar"))]
    dataset = datasets.load_dataset(
        "webdataset", data_files={"train": tars}, split="train", streaming=streaming, cache_dir=str(offline)
    )
    seen: Seen = {
        row["__key__"]: (np.array(row["png"]), np.array(row["mask.png"]), row["cls"], row["json"])
        for row in dataset
    }
    assert_equal(seen, by_tarfile)


def test_hugging_face_datasets_reads_the_directory_by_its_card(
    shard_directory: Path, by_tarfile: Seen, offline: Path
) -> None:
    import datasets

    dataset = datasets.load_dataset(str(shard_directory), split="train", cache_dir=str(offline))
    assert dataset["__key__"][:] == list(by_tarfile)
    assert dataset.features["mask.png"] == datasets.Image()
    assert dataset.features["json"]["area"] == datasets.Value("float64")
    assert dataset.features["json"]["area_pixels"] == datasets.Value("int64")


def test_read_samples_gives_every_member(shard_directory: Path) -> None:
    directory = open_directory(shard_directory)
    plan, marks = read_plan(directory), read_marks(directory)
    assert (plan.recipe.count, len(marks)) == (20, 3)
    for shard, mark in enumerate(marks):
        samples = list(read_samples(directory, shard))
        assert [(f"{each.key}.{name}", data) for each in samples for name, data in each.members.items()] == (
            members_of(shard_directory / mark.shard)
        )
        assert [list(each.members) for each in samples] == [mark.extensions] * mark.count
        assert [each.spans for each in samples] == mark.members


@pytest.mark.parametrize("key", ["000000008", "000000011", "000000015"])
def test_read_sample_finds_it_with_and_without_its_mark(
    shard_directory: Path, tmp_path: Path, key: str
) -> None:
    [expected] = [each for each in read_samples(open_directory(shard_directory), 1) if each.key == key]
    alone = shutil.copy(shard_directory / "000001.tar", tmp_path / "alone.tar")
    assert read_sample(shard_directory / "000001.tar", key) == read_sample(alone, key) == expected
    assert pickle.loads(pickle.dumps(expected)) == expected


def test_read_sample_reads_only_the_place_that_the_mark_names(shards: Path) -> None:
    expected = read_sample(shards / "000001.tar", "000000010")
    mark = read_marks(open_directory(shards))[1]
    data = bytearray(shards.joinpath("000001.tar").read_bytes())
    first, last = mark.members[2][0], mark.members[2][-2] + mark.members[2][-1]
    data[: first - 512] = bytes(first - 512)
    data[last:] = bytes(len(data) - last)
    (shards / "000001.tar").write_bytes(data)
    assert read_sample(shards / "000001.tar", "000000010") == expected


def test_read_sample_reads_remote_shards(shard_directory: Path) -> None:
    import fsspec

    fsspec.filesystem("memory").put(str(shard_directory), "/readable", recursive=True)
    assert read_sample("memory://readable/000001.tar", "000000009") == read_sample(
        shard_directory / "000001.tar", "000000009"
    )


@pytest.mark.parametrize("with_mark", [True, False])
@pytest.mark.parametrize(
    ("key", "nearest"), [("000000020", "000000015"), ("11", "000000011"), ("00000001x", "00000001")]
)
def test_an_unknown_key_is_answered_with_the_nearest(
    shards: Path, with_mark: bool, key: str, nearest: str
) -> None:
    if not with_mark:
        (shards / "000001.json").unlink()
    with pytest.raises(
        InputError, match=f"has no sample '{key}'; it has 000000008 to 000000015, the nearest is {nearest}"
    ):
        read_sample(shards / "000001.tar", key)


def test_an_unknown_shard_is_answered_with_the_nearest(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"no 000003\.tar in .*; it has 000000\.tar to 000002\.tar, the nearest"
    ):
        list(read_samples(open_directory(shards), 3))
    with pytest.raises(InputError, match=r"no 00001\.tar .* the nearest is 000001\.tar"):
        read_sample(shards / "00001.tar", "000000000")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="nor any other shard"):
        read_sample(tmp_path / "empty" / "000000.tar", "000000000")
    with pytest.raises(InputError, match="nor any other shard"):
        read_sample(tmp_path / "nowhere" / "000000.tar", "000000000")


def forge(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w") as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def test_tars_that_are_no_shards_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.tar").write_text("no tar at all" * 100)
    with pytest.raises(InputError, match="is damaged at its start"):
        read_sample(tmp_path / "text.tar", "a")
    link = tarfile.TarInfo("000000000.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    for member in (link, tarfile.TarInfo("noextension"), tarfile.TarInfo("../000000000.png")):
        with pytest.raises(InputError, match="is not a member of a sample"):
            read_sample(forge(tmp_path / "odd.tar", [(member, b"")]), "000000000")
    twice = [(tarfile.TarInfo("000000000.cls"), b"1"), (tarfile.TarInfo("000000000.cls"), b"0")]
    with pytest.raises(InputError, match=r"holds 000000000\.cls twice"):
        read_sample(forge(tmp_path / "twice.tar", twice), "000000000")


def test_a_shard_that_may_not_be_read_is_one_sentence(shards: Path) -> None:
    (shards / "000001.tar").chmod(0)
    with modes_obeyed(), pytest.raises(InputError, match="permission denied"):
        list(read_samples(open_directory(shards), 1))
