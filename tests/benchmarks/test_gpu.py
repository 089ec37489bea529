"""The benchmark on a GPU, as far as a CPU shows it: every part in its smallest form, and what ends badly."""

import json
import sys
from pathlib import Path

import pytest

from tests.benchmarks import gpu
from tests.benchmarks.gpu_parts import PARTS, Scale
from tests.benchmarks.gpu_ways import compare
from tests.diffusion.training.trainings import forget_accelerator

TOLD = {
    "machine": "commit",
    "training": "bf16",
    "end-to-end": "sdas-quickstart",
    "loader": "cutpaste",
    "paste": "perlin-self-shuffle",
    "abnormality": "redraw",
    "pretraining": "resnet18",
    "detectors": "patchcore",
}


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_a_dry_run(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    forget_accelerator()
    PARTS[part](Scale("cpu", 0.01, True))
    forget_accelerator()
    printed = capsys.readouterr().out
    assert TOLD[part] in printed and "not measured" not in printed, printed


def test_the_ways_to_run_a_network_have_one_too(capsys: pytest.CaptureFixture[str]) -> None:
    compare("tiny", 1, "cpu", 0.01)
    assert "eager" in capsys.readouterr().out


def test_all_parts_have_a_place_in_the_order() -> None:
    assert set(PARTS) <= set(gpu.parts()) and next(iter(gpu.parts())) == "machine"
    assert all(part.minutes > 0 for part in gpu.parts().values())


def test_a_part_that_fails_or_takes_too_long_keeps_what_it_printed(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text("print('half of it')\nraise SystemExit(3)\n")
    (tmp_path / "endless.py").write_text("import time\nprint('half of it')\ntime.sleep(60)\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        failed = gpu.run("one", ["failing"], 30, tmp_path)
        cut_off = gpu.run("two", ["endless"], 2, tmp_path)
    assert failed.code == 3 and cut_off.code is None and cut_off.seconds < 20
    assert [(tmp_path / f"{name}.txt").read_text() for name in ("one", "two")] == ["half of it\n"] * 2


def test_the_run_goes_on_after_a_failure_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = gpu.Part(["no_such_module"], ["no_such_module"], 1)
    good = gpu.Part(["this"], ["this"], 1)
    monkeypatch.setattr(gpu, "parts", lambda: {"bad": bad, "good": good})
    monkeypatch.setattr(sys, "argv", ["gpu", "--out", str(tmp_path / "out"), "--dry-run"])
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    assert ended.value.code == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [(each["part"], each["code"]) for each in summary] == [("bad", 1), ("good", 0)]
    assert "Beautiful is better than ugly" in (tmp_path / "out" / "good.txt").read_text()


def test_nothing_is_begun_when_the_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu", "--out", str(tmp_path), "--minutes", "0.1"])
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    assert ended.value.code == 0 and not list(tmp_path.iterdir())
