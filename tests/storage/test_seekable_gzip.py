"""A gzip file read at any place: what was packed, at a bounded price; refused where it is damaged."""

import gzip
import io
import pickle
import random
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from synthgen.storage import seekable_gzip
from synthgen.storage.seekable_gzip import SeekableGzip

PIECE = 1000
STEP = 8 * PIECE


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seekable_gzip, "PIECE", PIECE)
    monkeypatch.setattr(seekable_gzip, "STEP", STEP)


def piece(packed: bytes, start: int, size: int) -> bytes:
    return packed[start : start + size]


def opened(packed: bytes) -> SeekableGzip:
    return SeekableGzip(partial(piece, packed))


NOISE = random.Random(1).randbytes(100_000)
ZEROS = bytes(100_000)
TEXT = b"".join(b"%d squared is %d\n" % (number, number * number) for number in range(5000))


@pytest.mark.parametrize("content", [NOISE, ZEROS, TEXT, b"", b"x"])
def test_every_place_reads_as_it_was_packed(content: bytes) -> None:
    file = opened(gzip.compress(content))
    assert file.read() == content
    places = random.Random(2)
    for _ in range(100):
        start, size = places.randint(0, len(content) + 10), places.randint(0, 3000)
        assert file.read_at(start, size) == content[start : start + size]


def test_several_members_and_padding_are_one_file() -> None:
    packed = gzip.compress(NOISE) + gzip.compress(b"") + gzip.compress(TEXT) + bytes(512)
    file = opened(packed)
    assert file.read() == NOISE + TEXT
    assert file.read_at(len(NOISE) - 5, 10) == NOISE[-5:] + TEXT[:5]


def test_reading_anywhere_takes_the_work_of_one_step() -> None:
    asked = []

    def counted(start: int, size: int) -> bytes:
        asked.append(size)
        return piece(packed, start, size)

    packed = gzip.compress(NOISE)
    file = SeekableGzip(counted)
    assert file.read() == NOISE
    once = len(asked)
    for start in (90_000, 10, 50_000, 40_000):
        asked.clear()
        assert file.read_at(start, 10) == NOISE[start : start + 10]
        assert len(asked) <= STEP / PIECE + 3 < once / 5


def test_threads_may_read_at_once() -> None:
    file = opened(gzip.compress(NOISE))
    with ThreadPoolExecutor(8) as threads:
        found = threads.map(lambda start: file.read_at(start, 500), range(0, len(NOISE), 500))
        assert b"".join(found) == NOISE


def test_a_copy_for_another_process_reads_on() -> None:
    file = opened(gzip.compress(TEXT))
    file.seek(70_000)
    assert pickle.loads(pickle.dumps(file)).read_at(60_000, 100) == TEXT[60_000:60_100]


def test_the_end_is_not_known() -> None:
    file = opened(gzip.compress(TEXT))
    file.seek(5)
    assert (file.seek(10, io.SEEK_CUR), file.tell()) == (15, 15)
    with pytest.raises(io.UnsupportedOperation):
        file.seek(0, io.SEEK_END)


def test_damaged_and_endless_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(NOISE)
    with pytest.raises(EOFError, match="the gzip data end too early"):
        opened(packed[:-5]).read()
    with pytest.raises(zlib.error):
        opened(b"no gzip at all").read()
    with pytest.raises(zlib.error, match="incorrect data check"):
        opened(packed[:-8] + bytes(8)).read()
    monkeypatch.setattr(seekable_gzip, "MAX_UNPACKED", 50_000)
    with pytest.raises(ValueError, match="it unpacks to over 0 GiB; unpack it with gunzip"):
        opened(gzip.compress(ZEROS)).read()
