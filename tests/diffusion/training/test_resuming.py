"""Trainings that are interrupted end as if they had not been."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from synthgen.diffusion.model_files import read_facts
from tests.cli.helpers import HEARS_CTRL_C, Result, Run
from tests.diffusion.training import killed
from tests.diffusion.training.trainings import arguments, last_state, log

pytestmark = pytest.mark.usefixtures("small_presets")


def assert_same(one: Path, other: Path) -> None:
    """Bit for bit: weights, facts, the whole log, and the last state."""
    files = ["unet/diffusion_pytorch_model.safetensors", "synthgen.json", "training/loss.csv", "README.md"]
    for name in files:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert_same_state(last_state(one), last_state(other))


def assert_same_state(one: Any, other: Any) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            assert_same_state(one[name], other[name])
    else:
        assert one == other


def left_over(model: Path) -> list[str]:
    return [path.name for path in model.rglob("*") if "partial" in path.name or path.name == ".writing"]


def test_killed_at_the_worst_moments_it_ends_the_same(
    source: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "model"
    worst: list[killed.Sabotage] = [
        killed.before_the_settings_are_there,
        killed.in_the_middle_of_a_line,
        killed.in_the_middle_of_a_state,
        killed.before_a_state_has_its_name,
        killed.before_an_old_state_is_forgotten,
        killed.while_names_are_synced,
        killed.in_the_middle_of_the_model,
    ]
    for sabotage in worst:
        process = killed.start(arguments(source, out), sabotage)
        assert killed.exit_code(process) == killed.KILLED, sabotage
    assert not (out / "synthgen.json").exists()
    assert killed.exit_code(killed.start(arguments(source, out))) == 0
    assert_same(out, undisturbed)
    assert left_over(out) == []


def test_killed_at_random_moments_it_ends_the_same(source: Path, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    moments, codes, longest = random.Random(3), [killed.KILLED], 300_000  # a whole training has 600,000 calls
    while codes[-1] == killed.KILLED:
        sabotage = killed.after_calls(moments.randint(50_000, longest))
        codes.append(killed.exit_code(killed.start(arguments(source, out), sabotage)))
        longest = longest * 6 // 5
    assert codes[-1] == 0
    assert len(codes) > 4
    assert_same(out, undisturbed)


def test_ctrl_c_saves_the_state_and_the_next_run_goes_on(
    source: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the process has the real presets
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    small = ("--batch", "2")
    process = subprocess.Popen(
        [
            *HEARS_CTRL_C,
            sys.executable,
            "-m",
            "synthgen.cli",
            *arguments(source, stopped, *small, steps=500),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    while process.poll() is None and log(stopped).count("\n") < 4:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    Result(process.returncode, out, err).assert_refused("stopped; run the same command again", code=130)
    done = log(stopped).count("\n") - 1
    assert 3 <= done < 500
    assert [path.name for path in (stopped / "training").glob("state-*")] == [f"state-{done:07d}.pt"]
    assert left_over(stopped) == []
    for out_of in (stopped, whole):
        assert run(*arguments(source, out_of, *small, steps=done + 2)).code == 0
    assert_same(stopped, whole)


def test_more_steps_go_on_with_a_finished_training(
    source: Path, undisturbed: Path, tmp_path: Path, run: Run
) -> None:
    out = tmp_path / "model"
    assert run(*arguments(source, out, steps=5)).code == 0
    assert read_facts(out).training["updates"] == 5
    assert run(*arguments(source, out)).code == 0
    assert_same(out, undisturbed)


def written(model: Path) -> dict[str, int]:
    """When every file of the model was written."""
    files = [path for path in model.rglob("*") if path.is_file() and path.name != "loss.csv"]
    return {path.name: path.stat().st_mtime_ns for path in files}


def test_a_finished_training_is_left_alone(source: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "model"
    assert run(*arguments(source, out, steps=3)).code == 0
    before = written(out)
    again = run(*arguments(source, out, steps=3))
    assert again.code == 0
    assert "is trained for 3 updates on 8 images already; nothing is left to do" in again.out
    assert str(out) in again.out
    assert written(out) == before
    run(*arguments(source, out, steps=2)).assert_refused(
        "is trained for 3 updates already; give --steps 3 or more"
    )


def test_a_damaged_state_is_told_and_the_one_before_serves(
    source: Path, undisturbed: Path, tmp_path: Path, run: Run
) -> None:
    out = tmp_path / "model"
    assert run(*arguments(source, out, steps=5)).code == 0
    damaged = out / "training" / "state-0000005.pt"
    damaged.write_bytes(damaged.read_bytes()[:1000])
    run(*arguments(source, out)).assert_refused("state-0000005.pt: is damaged .*; delete it")
    damaged.unlink()
    assert run(*arguments(source, out)).code == 0
    assert_same(out, undisturbed)
