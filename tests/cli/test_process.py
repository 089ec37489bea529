"""`synthgen` as a process of its own: memory, terminals, pipes, full disks."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.cli.helpers import COMMAND, RECIPE, RUN_MAIN, Result, Run, bomb, process, sums, write_pictures


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
