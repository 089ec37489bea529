"""A small recipe with pictures for it, what a command answered, and files to clumsy ends."""

import json
import os
import re
import struct
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from synthgen.images import png

RECIPE = """\
name: small
seed: 1
count: 6
source: {kind: folder, path: good}
size: [64, 64]
foreground: all
synthesizers:
  - {method: cutpaste}
output: {shard_size: 3}
"""
AS_IT_SHOULD_BE = "everything is as it should be"


@dataclass(frozen=True)
class Result:
    """What a command answered."""

    code: int
    out: str
    err: str

    def assert_refused(self, pattern: str, code: int = 2) -> None:
        """One line says why, and there is no traceback."""
        assert self.code == code, self
        told = [line for line in self.err.splitlines() if line.startswith("synthgen: ")]
        assert len(told) == 1, self.err
        assert re.search(pattern, told[0]), told[0]
        assert "Traceback" not in self.err + self.out

    def assert_refused_at_once(self, pattern: str) -> None:
        """That line is all there is."""
        self.assert_refused(pattern)
        assert len(self.err.splitlines()) == 1, self.err


Run = Callable[..., Result]


COMMAND = [sys.executable, "-m", "synthgen.cli"]


def picture(seed: int, height: int = 64, width: int = 64, channels: int = 3) -> npt.NDArray[np.uint8]:
    """Coloured clouds."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, channels), dtype=np.uint8)
    enlarged = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, np.uint8).reshape(height, width, channels)


def write_pictures(folder: Path, count: int = 3, first: int = 0, **shape: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(picture(first + number, **shape)).save(folder / f"{number:02d}.png")


def encoded(pixels: npt.NDArray[Any], kind: str = "PNG") -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def sums(directory: Path) -> dict[str, str]:
    """The hashes of all files, hidden ones included."""
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in sorted(directory.iterdir())}


def assert_true(run: Run, out: str | Path, source: str | Path, samples: int, shard_size: int) -> None:
    """All of a directory is verified against the source, and every sample replays."""
    report = run("verify", out, "--source", source)
    assert report.code == 0, report
    assert "not checked" not in report.out
    for index in range(samples):
        shard = f"{out}/{index // shard_size:06d}.tar"
        replayed = run("replay", shard, f"{index:09d}", "--source", source, "--out", "replayed")
        assert (replayed.code, replayed.err) == (0, "")
        assert replayed.out.endswith(": identical\n")


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb() -> bytes:
    """A PNG of 50,000 x 50,000 RGB pixels in a few kilobytes."""
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        png_chunk(*chunk) for chunk in ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    )


def forge(directory: Path, change: Callable[[str, bytes], bytes]) -> None:
    """Change members of shard 1 and make its mark agree."""
    shard, mark = directory / "000001.tar", directory / "000001.json"
    forged, places = BytesIO(), {}
    with (
        tarfile.open(shard) as old,
        tarfile.open(fileobj=forged, mode="w", format=tarfile.USTAR_FORMAT) as new,
    ):
        for member in old:
            content = old.extractfile(member)
            assert content
            data = change(member.name, content.read())
            member.size = len(data)
            places.setdefault(member.name.partition(".")[0], []).extend([new.offset + 512, len(data)])
            new.addfile(member, BytesIO(data))
    shard.write_bytes(forged.getvalue())
    facts = json.loads(mark.read_text())
    facts |= {"sha256": sha256(forged.getvalue()).hexdigest(), "bytes": len(forged.getvalue())}
    mark.write_text(json.dumps(facts | {"members": list(places.values())}))


def moved_mask(name: str, data: bytes) -> bytes:
    if name != "000000004.mask.png":
        return data
    mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    return png.encode(np.ascontiguousarray(np.roll(mask, 5, axis=0), np.uint8))


RUN_MAIN = "from synthgen.cli.main import main; main()"


def process(
    *arguments: str, cwd: Path, command: list[str] = COMMAND, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        errors="replace",
    )


HEARS_CTRL_C = ("env", "--default-signal=INT")
"""Undoes what a shell does to the processes that it starts in the background: they ignore SIGINT."""
