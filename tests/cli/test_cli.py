"""The command line in clumsy and hostile hands: one clear line, the right exit code, nothing half-written."""

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import psutil
import pytest
import torch
from PIL import Image

from synthgen.cli.main import main
from synthgen.images import png
from tests.permissions import locked
from tests.recipes import ALL_METHODS

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


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `synthgen` in this process."""

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        return Result(int(stopped.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: three pictures in ``good`` and a recipe for them."""
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "good")
    (tmp_path / "r.yaml").write_text(RECIPE)
    return tmp_path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ``good``, a recipe, and its three finished shards in ``out``."""
    folder = tmp_path_factory.mktemp("made")
    write_pictures(folder / "good")
    write_pictures(folder / "others", first=50)
    (folder / "r.yaml").write_text(RECIPE.replace("count: 6", "count: 9").replace("cutpaste", "cutout"))
    subprocess.run(
        [*COMMAND, "generate", "r.yaml", "--out", "out"], cwd=folder, check=True, capture_output=True
    )
    return folder


@pytest.fixture
def copied(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ``made`` as the working directory, to be damaged."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


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


# Wrong usage: refused before anything is read.

USAGE = {
    "no command": ([], "required: COMMAND"),
    "an unknown command": (["generat"], "invalid choice: 'generat'"),
    "no recipe": (["check"], "required: recipe"),
    "an unknown option": (["check", "r.yaml", "--cuont", "3"], "unrecognized arguments: --cuont 3"),
    "no --out": (["generate", "r.yaml"], "required: --out"),
    "an empty --out": (["generate", "r.yaml", "--out", ""], "--out: expected a path or URL, found nothing"),
    "an empty --source": (["check", "r.yaml", "--source", ""], "--source: expected a path or URL"),
    "an empty recipe": (["check", ""], "recipe: expected a path or URL, found nothing"),
    "an empty directory": (["verify", ""], "directory: expected a path or URL, found nothing"),
    "count 0": (["check", "r.yaml", "--count", "0"], "--count: expected a whole number of 1 or more.*'0'"),
    "count -5": (["check", "r.yaml", "--count", "-5"], "--count: .*found '-5'"),
    "count 1e3": (["check", "r.yaml", "--count", "1e3"], "--count: .*found '1e3'"),
    "a huge count": (
        ["check", "r.yaml", "--count", "9" * 20],
        "count: expected at most 1000000000, found 99",
    ),
    "seed -1": (["check", "r.yaml", "--seed", "-1"], "seed: expected 0 or more, found -1"),
    "seed x": (["check", "r.yaml", "--seed", "x"], "--seed: invalid int value: 'x'"),
    "seed 2^63": (["check", "r.yaml", "--seed", str(2**63)], "seed: expected less than"),
    "workers 0": (["generate", "r.yaml", "--out", "o", "--workers", "0"], "--workers: .*found '0'"),
    "shards x": (["generate", "r.yaml", "--out", "o", "--shards", "x"], "--shards: .*found 'x'"),
    "shards backwards": (["generate", "r.yaml", "--out", "o", "--shards", "5-2"], "first shard before the"),
    "shards without end": (["generate", "r.yaml", "--out", "o", "--shards", "5-"], "--shards: .*found '5-'"),
    "far too many shards": (
        ["generate", "r.yaml", "--out", "o", "--shards", "0-9999999"],
        "at most a million",
    ),
    "an unknown device": (["generate", "r.yaml", "--out", "o", "--device", "gpu"], "invalid choice: 'gpu'"),
    "-n 0": (["preview", "r.yaml", "-n", "0"], "-n: expected a whole number of 1 or more, found '0'"),
    "-n 101": (["preview", "r.yaml", "-n", "101"], "101 samples: 1 to 100 are looked at"),
    "-n for a huge contact sheet": (["preview", "r.yaml", "--contact", "-n", "9999999"], "1 to 1000 are"),
    "--set without =": (["check", "r.yaml", "--set", "seed"], "--set seed: expected field=value, such as"),
    "--set of an unknown path": (
        ["check", "r.yaml", "--set", "synthesizers.0.aera=[0.1, 0.2]"],
        r"synthesizers\[0\]\.aera: unknown field .*did you mean area\?",
    ),
    "--set beyond a list": (["check", "r.yaml", "--set", "synthesizers.7.weight=1"], "from 0 to 0, found 7"),
    "--set below a number": (["check", "r.yaml", "--set", "seed.x=1"], "seed has no fields; it is 1"),
    "--set with broken YAML": (["check", "r.yaml", "--set", "size=[64"], r"--set size=\[64: broken YAML"),
    "a missing recipe": (["check", "qickstart"], r"qickstart: no such file.*did you mean quickstart\?"),
    "a missing recipe with a path": (["check", "recipes/nas.yaml"], r"did you mean nsa\?"),
    "a folder as recipe": (["check", "good"], "good: is a folder; expected a recipe"),
    "an image as recipe": (["check", "good/00.png"], r"00\.png: not a text file"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_is_one_line(case: str, here: Path, run: Run) -> None:
    arguments, pattern = USAGE[case]
    run(*arguments).assert_refused_at_once(pattern)
    assert sorted(file.name for file in here.iterdir()) == ["good", "r.yaml"]


# Wrong recipes. Each is the small recipe with a part of it replaced.

RECIPES = {
    "broken YAML": ("size: [64, 64]", "size: [64, 64", r"x\.yaml:\d+:\d+: broken YAML"),
    "a tab": ("seed: 1", "\tseed: 1", "broken YAML"),
    "a wrong type": ("count: 6", "count: six", r"x\.yaml:3: count: expected a whole number, found six"),
    "a fraction": ("count: 6", "count: 6.5", "count: expected a whole number, found 6.5"),
    "a text for a number": ("count: 6", 'count: "6"', 'count: expected a whole number, found "6"'),
    "an unknown field": ("seed: 1", "sed: 1", r"x\.yaml:2: sed: unknown field .*did you mean seed\?"),
    "a field twice": ("seed: 1", "seed: 1\nseed: 2", "seed: given twice"),
    "a missing field": ("count: 6\n", "", "count: missing; expected a whole number"),
    "an unknown method": ("cutpaste", "cutpast", r"x\.yaml:8: .*found cutpast; did you mean cutpaste\?"),
    "an unknown source": ("folder", "foldr", r"found foldr; did you mean folder\?"),
    "a negative range": ("cutpaste", "cutpaste, area: [-0.1, 0.2]", "expected more than 0, found -0.1"),
    "a reversed range": ("cutpaste", "cutpaste, area: [0.3, 0.1]", "a range is .* 0.3 is above 0.1"),
    "an area above 1": ("cutpaste", "cutpaste, area: [0.5, 1.5]", "at most 1, found 1.5"),
    "delta 0": ("cutpaste", "cutpaste, delta: [0, 1]", "delta.* expected more than 0, found 0"),
    "delta above 1": ("cutpaste", "cutpaste, delta: [0.5, 1.1]", "delta.* at most 1, found 1.1"),
    "no number": ("cutpaste", "cutpaste, rotation: [.nan, 1]", "expected a finite number, found .nan"),
    "weights that sum to 0": ("cutpaste", "cutpaste, weight: 0", "the weights sum to 0; give at least one"),
    "no synthesizer": ("\n  - {method: cutpaste}", " []", "synthesizers: expected 1 or more entries"),
    "a small size": ("[64, 64]", "[15, 64]", r"size\[0\]: expected 16 or more, found 15"),
    "a path with a NUL": ("path: good", 'path: "a\\0b"', "text without control characters"),
    "an empty path": ("path: good", 'path: ""', r'source\.path: expected 1 or more characters, found ""'),
    "a pattern without images": ("path: good", 'path: good, pattern: "*.jpg"', "no image that matches"),
    "a missing folder": ("path: good", "path: none", "none does not exist; give the path or URL of your"),
    "nothing held out": ("seed: 1", "seed: 1\nsplit: held-out", "has 3 images and none of them is held-out"),
    "missing masks": ("foreground: all", "foreground: {masks: none}", "foreground: none does not exist"),
    "no mask for an image": ("foreground: all", "foreground: {masks: other}", "no mask for the image 00.png"),
    "unpublished rules": ("foreground: all", "foreground: {published: mvtc}", "no rules were published for"),
    "missing textures": ("cutpaste", "perlin-texture, textures: none", "textures: none does not exist"),
    "no textures": ("cutpaste", "perlin-texture, textures: other", "textures: other has no image"),
}  # fmt: skip


@pytest.mark.parametrize("case", RECIPES)
def test_a_wrong_recipe_is_one_line(case: str, here: Path, run: Run) -> None:
    old, new, pattern = RECIPES[case]
    assert old in RECIPE
    (here / "other").mkdir()
    (here / "x.yaml").write_text(RECIPE.replace(old, new))
    run("generate", "x.yaml", "--out", "out").assert_refused_at_once(pattern)
    assert not (here / "out").exists()


def test_every_mistake_of_a_recipe_is_a_line(here: Path, run: Run) -> None:
    (here / "x.yaml").write_text(RECIPE.replace("seed: 1", "sed: 1").replace("count: 6", "count: six"))
    result = run("check", "x.yaml")
    result.assert_refused(r"x\.yaml:2: sed: unknown field")
    assert result.err.splitlines()[1:] == ["x.yaml:3: count: expected a whole number, found six"]


# Sources.


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb() -> bytes:
    """A PNG of 50,000 x 50,000 RGB pixels in a few kilobytes."""
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        png_chunk(*chunk) for chunk in ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    )


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


BAD_IMAGES = {
    "text.png": (b"hello\n", r"starts with 'hello\\n'; a PNG, .* is expected"),
    "empty.png": (b"", "the file is empty"),
    "truncated.png": (half(encoded(picture(1))), "the image is damaged and cannot be decoded"),
    "truncated.jpg": (half(encoded(picture(1), "JPEG")), "the image is damaged and cannot be decoded"),
    "bomb.png": (bomb(), r"50000 x 50000 pixels \(2500 megapixels\); at most 64 are read"),
    "one.png": (encoded(np.zeros((1, 1, 3), np.uint8)), "1 x 1 pixels; at least 16 a side"),
    "thin.png": (encoded(np.zeros((15, 400), np.uint8)), "400 x 15 pixels; at least 16 a side"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_among_good_ones_is_named(name: str, here: Path, run: Run) -> None:
    data, reason = BAD_IMAGES[name]
    (here / "good" / name).write_bytes(data)
    skipped = run("generate", "r.yaml", "--out", "out", "--workers", "1")
    assert skipped.code == 0
    assert re.search(f"^skipped {name}: .*{reason}", skipped.err, re.MULTILINE)
    [rejected] = json.loads((here / "out/plan.json").read_text())["rejected"]
    assert rejected["path"] == name
    assert re.search(reason, rejected["reason"])
    failed = run("generate", "r.yaml", "--out", "failed", "--set", "on_bad_image=fail")
    failed.assert_refused_at_once(f"{name}: .*{reason}.*on_bad_image: skip")
    assert not (here / "failed").exists()


def test_a_dangling_link_is_a_bad_image_and_a_replay_passes_over_it(here: Path, run: Run) -> None:
    (here / "good/gone.png").symlink_to("nowhere")
    made = run("generate", "r.yaml", "--out", "out")
    assert "skipped gone.png: " in made.err
    assert_true(run, "out", "good", 6, 3)


def test_bad_names_cannot_write_to_the_terminal(here: Path, run: Run) -> None:
    (here / "good/a\n\x1b[31mb.png").write_text("")
    assert "skipped a  [31mb.png: the file is empty" in run("generate", "r.yaml", "--out", "out").err


def test_only_bad_images_are_refused_and_the_first_is_named(here: Path, run: Run) -> None:
    (here / "bad").mkdir()
    for name in ("a.png", "b.png"):
        (here / "bad" / name).write_text("")
    run("check", "r.yaml", "--source", "bad").assert_refused_at_once("none of the 2 images .*a.png: the file")
    run("init", "bad").assert_refused_at_once(r"bad has no usable image; a\.png: the file is empty")
    assert not (here / "recipe.yaml").exists()


def test_an_image_smaller_than_the_crop_is_left_out_or_refused(here: Path, run: Run) -> None:
    Image.fromarray(picture(9, 80, 80)).save(here / "good/large.png")
    crop = ("--set", "resize=crop", "--set", "size=[72, 72]")
    skipped = run("generate", "r.yaml", "--out", "out", *crop)
    assert skipped.code == 0
    assert (
        len(re.findall("skipped 0.*is 64 x 64 pixels, smaller than the 72 x 72 to be cropped", skipped.err))
        == 3
    )
    failed = run("check", "r.yaml", *crop, "--set", "on_bad_image=fail")
    failed.assert_refused_at_once(r"00\.png: is 64 x 64 pixels, smaller than")
    none = run("check", "r.yaml", "--set", "resize=crop", "--set", "size=[90, 90]")
    none.assert_refused_at_once("none of the 4 images of the source can be used")


def test_native_size_of_a_mixed_folder_is_refused(here: Path, run: Run) -> None:
    Image.fromarray(picture(9, 80, 72)).save(here / "good/large.png")
    run("check", "r.yaml", "--set", "size=native").assert_refused_at_once(
        r"needs images of one size, and the source has 2 sizes \(64 x 64, 72 x 80\)"
    )


SOURCES = {
    "a missing folder": ("none", "none does not exist"),
    "an empty folder": ("empty", "empty has no image that matches"),
    "a folder without images": ("notes", "notes has no image that matches"),
    "a file": ("good/00.png", r"good/00\.png is a file; a folder with images is expected"),
    "an unknown protocol": ("foo://x", "foo://x cannot be read: .*Protocol not known"),
}


@pytest.mark.parametrize("case", SOURCES)
def test_a_source_without_images_is_refused(case: str, here: Path, run: Run) -> None:
    source, pattern = SOURCES[case]
    (here / "empty").mkdir()
    (here / "notes").mkdir()
    (here / "notes/a.txt").write_text("x")
    run("check", "r.yaml", "--source", source).assert_refused_at_once(pattern)
    run("generate", "r.yaml", "--out", "out", "--source", source).assert_refused_at_once(pattern)
    run("init", source).assert_refused_at_once(pattern)
    assert sorted(file.name for file in here.iterdir()) == ["empty", "good", "notes", "r.yaml"]


def test_an_unknown_category_is_named_with_the_nearest(here: Path, run: Run) -> None:
    for category in ("bottle", "cable"):
        write_pictures(here / "mvtec" / category / "train/good")
    source = "source={kind: mvtec, path: mvtec, categories: [botle]}"
    run("check", "r.yaml", "--set", source).assert_refused_at_once(
        "mvtec has no category 'botle', only bottle, cable; did you mean bottle"
    )


def test_hidden_and_foreign_files_are_no_images(here: Path, run: Run) -> None:
    for name in (".DS_Store", "Thumbs.db", ".hidden.png", "._00.png", "notes.txt"):
        (here / "good" / name).write_text("x")
    (here / "good/folder.png").mkdir()
    os.mkfifo(here / "good/pipe.png")
    assert "3 normal" in (checked := run("check", "r.yaml")).out
    assert "rejected     none" in checked.out
    assert checked.err == ""


def test_equal_names_in_different_categories_stay_apart(here: Path, run: Run) -> None:
    for number, category in enumerate(("bottle", "cable")):
        write_pictures(here / "mvtec" / category / "train/good", first=10 * number)
    source = "source={kind: mvtec, path: mvtec, held_out: 0}"
    assert run("generate", "r.yaml", "--out", "out", "--set", source).code == 0
    assert_true(run, "out", "mvtec", 6, 3)
    images = json.loads((here / "out/plan.json").read_text())["images"]
    assert len({image["sha256"] for image in images}) == 6


def test_a_copy_in_another_category_is_left_out(here: Path, run: Run) -> None:
    """A scene is known by its file's hash: with a copy, it would have the foreground of either category."""
    write_pictures(here / "mvtec/dark/train/good")
    write_pictures(here / "mvtec/grey/train/good", first=2)
    source = "source={kind: mvtec, path: mvtec, held_out: 0}"
    result = run("generate", "r.yaml", "--out", "out", "--set", source, "--set", "foreground=auto")
    assert "skipped grey/train/good/00.png: is a copy of dark/train/good/02.png" in result.err
    assert_true(run, "out", "mvtec", 6, 3)


# Output.


def foreign_tar(here: Path) -> str:
    (here / "out").mkdir()
    (here / "out/photos.tar").write_text("")
    return "out"


def own_recipe(here: Path) -> str:
    (here / "out").mkdir()
    (here / "out/recipe.yaml").write_text("mine")
    return "out"


OUTPUTS: dict[str, tuple[Callable[[Path], str], str]] = {
    "a file": (lambda here: "r.yaml", r"r\.yaml: is a file; the output must be a directory"),
    "below a file": (lambda here: "r.yaml/out", r"r\.yaml/out: cannot be written to"),
    "in /proc": (lambda here: "/proc/x", "/proc/x: cannot be written to"),
    "in /sys": (lambda here: "/sys/x", "/sys/x: (cannot be written to|no permission)"),
    "a device": (lambda here: "/dev/null", "/dev/null: is a file"),
    "a long name": (lambda here: "x" * 300, "xxx: cannot be written to .File name too long"),
    "an unknown protocol": (lambda here: "foo://x", "foo://x: cannot be opened .Protocol not known"),
    "memory": (lambda here: "memory://x", "memory://x: is seen by one process"),
    "with somebody's tar": (foreign_tar, r"out: holds photos\.tar and no plan\.json: not by synthgen"),
    "with a recipe of one's own": (own_recipe, r"out: holds recipe\.yaml and no plan\.json"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="has /proc and /sys")
@pytest.mark.parametrize("case", OUTPUTS)
def test_an_output_that_cannot_be_is_refused(case: str, here: Path, run: Run) -> None:
    prepare, pattern = OUTPUTS[case]
    out = prepare(here)
    before = {file: file.read_bytes() for file in here.rglob("*") if file.is_file()}
    run("generate", "r.yaml", "--out", out).assert_refused(pattern)
    assert {file: file.read_bytes() for file in here.rglob("*") if file.is_file()} == before


@pytest.fixture
def unwritable(here: Path) -> Iterator[str]:
    """A directory in which this user, root included, may not write."""
    with locked(here / "locked"):
        yield "locked"


def test_no_permission_to_write_is_refused(unwritable: str, run: Run) -> None:
    denied = f"{unwritable}.*(no permission|ermission denied|ead-only file system)"
    for arguments in (
        ["generate", "r.yaml", "--out", unwritable],
        ["generate", "r.yaml", "--out", f"{unwritable}/out"],
        ["plan", "r.yaml", "--out", f"{unwritable}/plan.json"],
        ["preview", "r.yaml", "-n", "1", "--out", f"{unwritable}/sheet.png"],
        ["init", "good", "--out", f"{unwritable}/r.yaml"],
    ):
        run(*arguments).assert_refused(denied)


def test_a_directory_of_another_recipe_is_refused_and_left_alone(copied: Path, run: Run) -> None:
    before = sums(copied / "out")
    for change, pattern in (
        ("--seed=5", r"out: was made by another recipe or from other images \(found small"),
        ("--source=others", "made by another recipe or from other images"),
        ("--set=output.image_format=webp", "was written with other output settings"),
        ("--count=3", r"holds 000001\.tar, and 3 samples are 1 shards"),
    ):
        run("generate", "r.yaml", "--out", "out", change).assert_refused(pattern)
    assert sums(copied / "out") == before


def test_shards_that_are_not_there_are_refused(here: Path, run: Run) -> None:
    for shards, pattern in (("7", "shard 7: the recipe has 2 shards, 0 to 1"), ("0-2", "shard 2")):
        run("generate", "r.yaml", "--out", "out", "--shards", shards).assert_refused(pattern)
    assert not (here / "out").exists()


def test_more_shards_than_names_are_refused(here: Path, run: Run) -> None:
    huge = run("generate", "r.yaml", "--out", "out", "--count", 10**9)
    huge.assert_refused("333333334 shards, .* at most 1000000; give a larger output.shard_size")
    assert not (here / "out").exists()


def test_cuda_is_refused_where_there_is_none(here: Path, run: Run) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    run("generate", "r.yaml", "--out", "out", "--device", "cuda").assert_refused_at_once("no CUDA device")


def test_files_that_cannot_be_written_are_refused(copied: Path, run: Run) -> None:
    for arguments, pattern in (
        (["preview", "r.yaml", "-n", "1", "--out", "sheet"], "name that ends in .png"),
        (["preview", "r.yaml", "-n", "1", "--out", "none/sheet.png"], "the folder none does not exist"),
        (["inspect", "out", "--out", "bars.jpg"], r"bars\.jpg: .*name that ends in \.png"),
        (["inspect", "out", "--out", "/proc/bars.png"], "/proc: cannot be written to"),
        (["plan", "r.yaml", "--out", "good"], "good: is not a file"),
        (["plan", "r.yaml", "--out", "/dev/full"], "/dev/full: is not a file"),
        (["plan", "r.yaml", "--out", "x" * 300], "xxx: cannot be written .File name too long"),
        (["replay", "out/000000.tar", "000000000", "--source", "good", "--out", "r.yaml"], "is a file"),
        (
            ["replay", "out/000000.tar", "000000000", "--source", "good", "--out", "/proc/x"],
            "/proc/x: cannot",
        ),
        (["init", "good", "--out", "r.yaml"], r"r\.yaml exists already; give another file name"),
        (["init", "good", "--out", "none/r.yaml"], r"none/r\.yaml cannot be written: No such file"),
    ):
        run(*arguments).assert_refused(pattern)
    assert (copied / "r.yaml").read_text().startswith("name: small")
    assert sorted(file.name for file in copied.iterdir()) == ["good", "others", "out", "r.yaml"]


# What was written: verify, inspect, readers.


@pytest.mark.parametrize("command", ["verify", "inspect", "readers"])
def test_what_is_no_directory_of_synthgen_is_refused(command: str, here: Path, run: Run) -> None:
    (here / "empty").mkdir()
    for directory, pattern in (
        ("none", "none does not exist"),
        ("empty", r"empty has no plan\.json, so it is not from synthgen"),
        ("good", r"good has no plan\.json"),
        ("r.yaml", r"r\.yaml is a file; expected the directory"),
    ):
        run(command, directory).assert_refused_at_once(pattern)


def test_a_finished_run_is_as_it_should_be(made: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    for more in ([], ["--source", "good"]):
        report = run("verify", "out", *more)
        assert (report.code, report.err) == (0, "")
        assert report.out.splitlines()[-1] == AS_IT_SHOULD_BE
        assert "not checked" not in report.out


def test_a_wrong_source_is_refused_and_not_passed_over(made: Path, run: Run) -> None:
    wrong = run("verify", made / "out", "--source", made / "others")
    wrong.assert_refused_at_once("others holds none of the 3 normal images of the plan")
    run("verify", made / "out", "--source", made / "none").assert_refused_at_once("none does not exist")


def test_without_the_source_it_is_told_what_was_not_checked(
    made: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = run("verify", made / "out")
    assert report.code == 0
    assert "not checked: change against the normal image: the normal image is not at hand" in report.out


def test_an_unfinished_run_is_a_failure(copied: Path, run: Run) -> None:
    for name in ("000001.tar", "000001.json", "manifest.json", "README.md", "_info.json"):
        (copied / "out" / name).unlink()
    report = run("verify", "out")
    assert report.code == 1
    assert "000001.tar: shard: found missing" in report.out
    assert run("inspect", "out").code == 0
    for name in ("000000.json", "000002.json"):
        (copied / "out" / name).unlink()
    for command in ("inspect", "readers"):
        run(command, "out").assert_refused_at_once("has no finished shard yet")


@pytest.mark.parametrize("place", [5, 600, 3000, 8000, -1])
def test_one_flipped_bit_is_found(place: int, copied: Path, run: Run) -> None:
    shard = copied / "out/000001.tar"
    data = bytearray(shard.read_bytes())
    data[place] ^= 1
    shard.write_bytes(data)
    report = run("verify", "out")
    assert (report.code, report.err) == (1, "")
    assert "000001.tar: sha256: found " in report.out


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:5000], lambda data: b"?" * 9999])
def test_a_damaged_shard_is_found_and_refused(
    damage: Callable[[bytes], bytes], copied: Path, run: Run
) -> None:
    shard = copied / "out/000001.tar"
    shard.write_bytes(damage(shard.read_bytes()))
    assert run("verify", "out").code == 1
    (copied / "out/000001.json").unlink()
    run("replay", shard, "000000005", "--source", "good", "--out", "again").assert_refused_at_once("damaged")
    assert not (copied / "again").exists()


@pytest.mark.parametrize("name", ["plan.json", "000001.json"])
def test_a_damaged_description_is_refused(name: str, copied: Path, run: Run) -> None:
    (copied / "out" / name).write_text("{")
    if name == "plan.json":
        run("verify", "out").assert_refused_at_once(r"plan\.json is not a plan")
    else:
        assert "is not a shard's mark" in run("verify", "out").out
    run("inspect", "out").assert_refused_at_once("is not a (plan|shard's mark)")
    run("generate", "r.yaml", "--out", "out").assert_refused("is not a (plan|shard's mark)")


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


def larger_mask(name: str, data: bytes) -> bytes:
    if name != "000000004.mask.png":
        return data
    mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    return png.encode(np.asarray(cv2.dilate(mask, np.ones((3, 3), np.uint8)), np.uint8))


def moved_mask(name: str, data: bytes) -> bytes:
    if name != "000000004.mask.png":
        return data
    mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    return png.encode(np.ascontiguousarray(np.roll(mask, 5, axis=0), np.uint8))


def test_a_forged_mask_is_found(copied: Path, run: Run) -> None:
    original = (copied / "out/000001.tar").read_bytes()
    forge(copied / "out", lambda name, data: data)
    assert "problem: 000001.tar" not in run("verify", "out").out
    for forgery, problem in (
        (larger_mask, "000000004: facts.area_pixels: found"),
        (moved_mask, "000000004: values changed outside of the mask: found"),
        (lambda name, data: b"0" if name == "000000004.cls" else data, "000000004: cls: found b'0'"),
    ):
        (copied / "out/000001.tar").write_bytes(original)
        forge(copied / "out", forgery)
        report = run("verify", "out")
        assert report.code == 1
        assert f"problem: 000001.tar {problem}" in report.out


# Replay.

REPLAYS = {
    "a key of another shard": (["out/000001.tar", "000000000", "--source", "good"], "nearest is 000000003"),
    "a short key": (["out/000001.tar", "4", "--source", "good"], "no sample '4'; .*nearest is 000000004"),
    "an empty key": (["out/000001.tar", "", "--source", "good"], "no sample ''; it has 000000003 to"),
    "a wrong shard": (["out/000009.tar", "000000004"], r"no 000009\.tar in out; it has 000000\.tar to"),
    "a missing folder": (["none/000001.tar", "000000004"], r"no 000001\.tar in none"),
    "an image": (["good/00.png", "000000004"], r"good/00\.png is damaged"),
    "no source": (["out/000001.tar", "000000004"], r"the normal image \S+\.png\).*lies in with --source"),
    "a wrong source": (
        ["out/000001.tar", "000000004", "--source", "others"],
        "below others; give the folder",
    ),
    "a missing source": (["out/000001.tar", "000000004", "--source", "none"], "none does not exist"),
}


@pytest.mark.parametrize("case", REPLAYS)
def test_a_wrong_replay_is_one_line(case: str, made: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, pattern = REPLAYS[case]
    monkeypatch.chdir(made)
    run("replay", *arguments, "--out", "again").assert_refused_at_once(pattern)
    assert not (made / "again").exists()


def test_a_replay_that_differs_says_so(copied: Path, run: Run) -> None:
    forge(copied / "out", moved_mask)
    result = run("replay", "out/000001.tar", "000000004", "--source", "good", "--out", "again")
    result.assert_refused("000000004 .* differs from the stored sample", code=1)


def test_a_jpeg_is_replayed_up_to_its_loss(here: Path, run: Run) -> None:
    assert run("generate", "r.yaml", "--out", "out", "--set", "output.image_format=jpg").code == 0
    replayed = run("replay", "out/000000.tar", "000000001", "--source", "good", "--out", "again")
    assert replayed.code == 0
    assert re.search(r"mask identical; the stored JPEG is within \d+ grey levels", replayed.out)
    assert len(list((here / "again").iterdir())) == 3


# Unusual input that must work, from the folder to the replay.

NAMES = ["ünï cödé 日本", "100% 25%20x", "a*b[1]?c#d", "co:lon quo'te\"s", "$HOME", "~t"]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_may_have_any_name(name: str, here: Path, run: Run) -> None:
    (here / "good").rename(here / name)
    Image.fromarray(picture(7)).save(here / name / f"{name}.png")
    (here / "r.yaml").write_text(
        RECIPE.replace("path: good", f"path: {json.dumps(name, ensure_ascii=False)}")
    )
    assert run("generate", "r.yaml", "--out", f"{name}/out").code == 0
    assert_true(run, f"{name}/out", name, 6, 3)
    assert run("init", name).code == 0
    assert "4 normal" in run("check", "recipe.yaml").out
    for command in ("inspect", "readers"):
        assert run(command, f"{name}/out").code == 0


def test_grey_colour_alpha_palette_and_16_bits_may_be_mixed(here: Path, run: Run) -> None:
    good = here / "good"
    grey = picture(11, channels=1)[..., 0]
    for name, pixels in {
        "grey.png": grey,
        "grey.jpg": grey,
        "alpha.png": picture(12, channels=4),
        "deep.png": grey.astype(np.uint16) * 200,
        "colour.webp": picture(13),
        "colour.bmp": picture(14),
        "COLOUR.TIF": picture(15),
    }.items():
        Image.fromarray(pixels).save(good / name)
    Image.fromarray(picture(16)).convert("P").save(good / "palette.png")
    cv2.imwrite(str(good / "deep-colour.png"), picture(17).astype(np.uint16) * 200)
    (good / "misnamed.jpg").write_bytes(encoded(picture(18)))
    held = ("--set", "source.held_out=0", "--count", "13")
    made = run("generate", "r.yaml", "--out", "out", *held)
    assert made.code == 0
    assert "skipped" not in made.err
    assert_true(run, "out", "good", 13, 3)


def test_one_much_larger_image_among_many_changes_nothing(here: Path, run: Run) -> None:
    write_pictures(here / "many", 300, height=20, width=20)
    Image.fromarray(picture(9, 1200, 1600)).save(here / "many/large.png")
    assert run("generate", "r.yaml", "--out", "out", "--source", "many", "--set", "size=[32, 32]").code == 0
    assert run("verify", "out", "--source", "many").out.endswith(f"{AS_IT_SHOULD_BE}\n")
    assert run("init", "many").code == 0
    assert "301 images (300 of them looked at), colour, " in (here / "recipe.yaml").read_text()


def methods_recipe(**fields: Any) -> str:
    recipe: dict[str, Any] = {
        "name": "methods",
        "seed": 2,
        "count": 14,
        "source": {"kind": "folder", "path": "good", "held_out": 0},
        "size": [64, 64],
        "synthesizers": ALL_METHODS,
        "output": {"shard_size": 14},
    }
    return json.dumps(recipe | fields)


def test_one_image_is_enough_for_every_method(here: Path, run: Run) -> None:
    for name in ("01.png", "02.png"):
        (here / "good" / name).unlink()
    (here / "r.yaml").write_text(methods_recipe())
    assert run("generate", "r.yaml", "--out", "out").code == 0
    assert_true(run, "out", "good", 14, 14)


WITHOUT_SCAR = [method for method in ALL_METHODS if method["method"] != "scar"]


@pytest.mark.parametrize("size", [[16, 16], [17, 31], [400, 16]])
def test_small_and_thin_samples_are_true(size: list[int], here: Path, run: Run) -> None:
    write_pictures(here / "thin", 2, height=size[0], width=size[1])
    (here / "r.yaml").write_text(methods_recipe(size="native", synthesizers=WITHOUT_SCAR))
    assert run("generate", "r.yaml", "--out", "out", "--source", "thin").code == 0
    assert_true(run, "out", "thin", 14, 14)


def test_a_method_that_never_succeeds_fails_the_run_with_advice(here: Path, run: Run) -> None:
    """A strip of 2 to 16 pixels at 256 x 256 is less than a pixel wide at 16 x 16."""
    (here / "r.yaml").write_text(methods_recipe(size=[16, 16], synthesizers=[{"method": "scar"}]))
    result = run("generate", "r.yaml", "--out", "out")
    result.assert_refused(r"14 of 14 anomalous samples .*rejected, most of them scar: empty mask", code=1)
    assert not (here / "out/manifest.json").exists()


@pytest.mark.parametrize(("value", "code"), [(255, 0), (0, 1)])
def test_a_foreground_of_everything_or_nothing(value: int, code: int, here: Path, run: Run) -> None:
    (here / "masks").mkdir()
    for number in range(3):
        Image.fromarray(np.full((64, 64), value, np.uint8)).save(here / f"masks/{number:02d}.png")
    result = run("generate", "r.yaml", "--out", "out", "--set", "foreground={masks: masks}")
    assert result.code == code
    if code:
        result.assert_refused("6 of 6 anomalous samples .*empty mask.*or check the foreground", code=1)
        assert not (here / "out/manifest.json").exists()


def test_bad_textures_are_left_out_and_named(here: Path, run: Run) -> None:
    write_pictures(here / "textures", 2)
    (here / "textures/bad.png").write_text("")
    textures = ("--set", "synthesizers=[{method: perlin-texture, textures: textures}]")
    result = run("generate", "r.yaml", "--out", "out", *textures)
    assert result.code == 0
    assert "skipped textures/bad.png: the file is empty" in result.err
    refused = run("check", "r.yaml", *textures, "--set", "on_bad_image=fail")
    refused.assert_refused_at_once(r"textures: bad\.png: the file is empty")


# As a process of its own.


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


def test_a_bomb_takes_no_memory(here: Path) -> None:
    (here / "good/bomb.png").write_bytes(bomb())
    # 7.5 GB is what its pixels would take.
    bounded = f"import resource; resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32)); {RUN_MAIN}"
    result = process("check", "r.yaml", cwd=here, command=[sys.executable, "-c", bounded])
    assert result.returncode == 0
    assert "bomb.png: the image is 50000 x 50000 pixels" in result.stdout


def test_seed_of_the_hashes_workers_and_working_directory_change_no_byte(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate = ("generate", "r.yaml", "--out")
    for name, hash_seed, workers in (("a", "0", "1"), ("b", "4711", "2")):
        made = process(*generate, name, "--workers", workers, cwd=here, PYTHONHASHSEED=hash_seed)
        assert made.returncode == 0, made.stderr
    assert sums(here / "a") == sums(here / "b")
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert run("generate", "../r.yaml", "--source", "../good", "--out", "c").code == 0
    names_the_path = {"plan.json", "recipe.yaml", "README.md"}
    first, second = sums(here / "a"), sums(Path("c"))
    assert {name for name in first.keys() | second.keys() if first[name] != second[name]} <= names_the_path


def test_a_terminal_without_utf_8_is_no_reason_to_fail(made: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "日本")
    (tmp_path / "ünïcode.yaml").write_text(RECIPE.replace("path: good", "path: 日本"), encoding="utf-8")
    for encoding, *arguments in (
        ("latin-1", "inspect", str(made / "out")),
        ("ascii", "generate", "ünïcode.yaml", "--out", "日本/out", "--count", "2"),
    ):
        result = process(*arguments, cwd=tmp_path, PYTHONIOENCODING=encoding, LC_ALL="C")
        assert result.returncode == 0, result.stderr
    assert (tmp_path / "日本/out/manifest.json").is_file()
    missing = process("check", "日本語", cwd=tmp_path, PYTHONIOENCODING="ascii", LC_ALL="C")
    Result(missing.returncode, missing.stdout, missing.stderr).assert_refused_at_once("no such file")


def test_a_reader_that_leaves_early_is_no_error(here: Path) -> None:
    (here / "r.yaml").write_text(RECIPE.replace("good", "many"))
    write_pictures(here / "many", 800, height=16, width=16)
    with subprocess.Popen(
        [*COMMAND, "plan", "r.yaml"], cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as reading:
        assert reading.stdout
        assert reading.stderr
        assert reading.stdout.readline() == b"{\n"
        reading.stdout.close()
        assert reading.stderr.read() == b""
        assert reading.wait() == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
def test_a_full_disk_behind_the_output_is_one_line(here: Path) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [*COMMAND, "check", "r.yaml"],
            cwd=here,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    Result(result.returncode, "", result.stderr).assert_refused("No space left on device", code=1)


HEARS_CTRL_C = ("env", "--default-signal=INT")
"""Undoes what a shell does to the processes that it starts in the background: they ignore SIGINT."""


def test_ctrl_c_stops_cleanly_and_the_next_run_goes_on(here: Path, run: Run) -> None:
    (here / "r.yaml").write_text(
        RECIPE.replace("count: 6", "count: 600").replace("cutpaste", "nsa").replace("_size: 3", "_size: 20")
    )
    generate = ("generate", "r.yaml", "--workers", "2", "--out")
    stopped = subprocess.Popen(
        [*HEARS_CTRL_C, *COMMAND, *generate, "out"],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list((here / "out").glob("0*.json")) and stopped.poll() is None:
        time.sleep(0.005)
    os.killpg(stopped.pid, signal.SIGINT)
    out, err = stopped.communicate(timeout=30)
    Result(stopped.returncode, out, err).assert_refused("stopped; run the same command again", code=130)
    assert out == ""
    left = sorted(file.name for file in (here / "out").iterdir())
    assert not [name for name in left if name.startswith(".")]
    assert 1 <= sum(name.endswith(".tar") for name in left) < 30
    for name in ("out", "undisturbed"):
        assert run(*generate, name).code == 0
    assert sums(here / "out") == sums(here / "undisturbed")


def test_ctrl_c_while_the_workers_still_import_is_one_line(here: Path) -> None:
    command = [*HEARS_CTRL_C, *COMMAND, "generate", "perlin-texture", "--out", "out"]
    stopped = subprocess.Popen(
        command,
        cwd=here,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not psutil.Process(stopped.pid).children() and stopped.poll() is None:
        time.sleep(0.005)
    time.sleep(0.3)  # the imports take more, on any machine
    os.killpg(stopped.pid, signal.SIGINT)
    _, err = stopped.communicate(timeout=60)
    assert stopped.returncode == 130
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1] == "synthgen: stopped; run the same command again to go on"


CTRL_C_AT_AN_IMPORT = """
import os, runpy, signal, sys

class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == MODULE:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process would ignore it
sys.meta_path.insert(0, CtrlC())
runpy.run_module("synthgen.cli", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    "module", ["synthgen.cli.main", "argparse", "synthgen.cli.arguments", "synthgen.recipe.files", "numpy"]
)
def test_ctrl_c_is_one_line_from_the_first_import_on(module: str, here: Path) -> None:
    code = CTRL_C_AT_AN_IMPORT.replace("MODULE", repr(module))
    stopped = process("check", "r.yaml", cwd=here, command=[sys.executable, "-c", code])
    Result(stopped.returncode, stopped.stdout, stopped.stderr).assert_refused("stopped; run", code=130)
    assert len(stopped.stderr.splitlines()) == 1


def test_debug_shows_the_traceback(here: Path) -> None:
    result = process("check", "none.yaml", "--debug", cwd=here)
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "InputError: none.yaml: no such file" in result.stderr


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_lack_of_memory_that_no_command_expected(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr("synthgen.pipeline.forecast.forecast", fails)
    run("check", "quickstart").assert_refused("there is not enough memory; choose a smaller batch", 1)
