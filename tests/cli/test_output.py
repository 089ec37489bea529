"""Outputs that cannot be are refused, and nothing is half-written."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.cli.helpers import Run, sums
from tests.permissions import locked


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
