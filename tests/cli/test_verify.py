"""What was written and damaged since: verify, inspect, readers."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from synthgen.images import png
from tests.cli.helpers import AS_IT_SHOULD_BE, Run, forge, moved_mask


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


def larger_mask(name: str, data: bytes) -> bytes:
    if name != "000000004.mask.png":
        return data
    mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    return png.encode(np.asarray(cv2.dilate(mask, np.ones((3, 3), np.uint8)), np.uint8))


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
