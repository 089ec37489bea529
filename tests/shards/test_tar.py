"""Tar headers against Python's tarfile."""

import io
import tarfile

import pytest

from synthgen.shards import tar


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 100_000, 8 * 1024**3 - 1])
@pytest.mark.parametrize("name", ["000000001.png", "a" * 100])
def test_a_header_is_the_one_that_tarfile_writes(name: str, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    assert tar.header(name, size) == info.tobuf(format=tarfile.USTAR_FORMAT)


def test_tarfile_reads_an_archive_of_members() -> None:
    members = {"000000000.cls": b"1", "000000000.png": b"x" * 1000, "000000001.cls": b""}
    archive = b"".join(
        tar.header(name, len(data)) + data + tar.padding(len(data)) for name, data in members.items()
    )
    with tarfile.open(fileobj=io.BytesIO(archive + tar.END_OF_ARCHIVE)) as opened:
        assert {info.name: opened.extractfile(info).read() for info in opened} == members  # type: ignore[union-attr]
