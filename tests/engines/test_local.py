"""The local engine: the same bytes whatever the workers, the batch and the interruptions."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import ClassVar, cast

import pytest

import synthgen
from synthgen.engines.local import LocalEngine
from synthgen.engines.run import open_run
from synthgen.engines.worker import Failure, _work
from synthgen.errors import InputError, RunError
from synthgen.plan.plan import Plan
from synthgen.recipe.files import dump_recipe
from synthgen.runtime.memory import out_of_memory
from tests.recipes import small_recipe

SMALL = ["count=96", "size=[64, 64]", "output.shard_size=8"]


def sums(directory: Path) -> dict[str, str]:
    """The hashes of all files of a directory."""
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in sorted(directory.iterdir())}


def generate(plan: Plan, directory: Path, **engine: int) -> dict[str, str]:
    for _ in open_run(plan, str(directory)).make(LocalEngine(**{"workers": 1, **engine})):
        pass
    return sums(directory)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return synthgen.freeze(synthgen.load_recipe("mixed", SMALL))


@pytest.fixture(scope="module")
def reference(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return generate(plan, tmp_path_factory.mktemp("reference"))


def test_a_run_writes_every_shard_and_what_describes_them(reference: dict[str, str]) -> None:
    shards = [f"{number:06d}.{kind}" for number in range(12) for kind in ("json", "tar")]
    assert sorted(reference) == sorted(
        [*shards, "README.md", "_info.json", "manifest.json", "plan.json", "recipe.yaml"]
    )


@pytest.mark.parametrize("engine", [{"workers": 2, "batch_size": 32}, {"workers": 2, "batch_size": 1}])
def test_workers_and_batches_change_no_byte(
    plan: Plan, reference: dict[str, str], tmp_path: Path, engine: dict[str, int]
) -> None:
    assert generate(plan, tmp_path, **engine) == reference


def test_shards_made_apart_and_in_any_order_are_the_same(
    plan: Plan, reference: dict[str, str], tmp_path: Path
) -> None:
    for shards in ([7, 11, 3], [0, 1, 2, 4], [5, 6, 8, 9, 10]):
        assert "manifest.json" not in sums(tmp_path)
        for _ in open_run(plan, str(tmp_path), shards).make(LocalEngine(2)):
            pass
    assert sums(tmp_path) == reference


def test_the_output_may_be_a_url(plan: Plan, reference: dict[str, str], tmp_path: Path) -> None:
    for _ in open_run(plan, f"file://{tmp_path}/out").make(LocalEngine(1)):
        pass
    assert sums(tmp_path / "out") == reference


@pytest.mark.timeout(300)
def test_five_kills_at_random_moments_change_no_byte(
    reference: dict[str, str], tmp_path: Path, plan: Plan
) -> None:
    (tmp_path / "recipe.yaml").write_text(dump_recipe(plan.recipe))
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "synthgen.cli",
        "generate",
        "recipe.yaml",
        "--out",
        "out",
        "--workers",
        "2",
    ]
    chance = random.Random(int(time.time()))
    finished = 0
    for _ in range(5):
        process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, stderr=subprocess.DEVNULL)
        # Kill after one to two more shards, a little later.
        while len(marks(out)) <= finished and process.poll() is None:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.02))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(0.05)
        finished = len(marks(out))
        assert 1 <= finished <= 11, "the kill came too late: there was nothing left to resume"
        assert {name: digest for name, digest in sums(out).items() if name in marks(out)}.items() <= (
            reference.items()
        )
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert sums(out) == reference


def marks(directory: Path) -> list[str]:
    return [file.name for file in directory.glob("[0-9]*.json")] if directory.is_dir() else []


def test_a_finished_run_makes_nothing_again(plan: Plan, tmp_path: Path) -> None:
    generate(plan, tmp_path)
    times = {file.name: file.stat().st_mtime_ns for file in tmp_path.glob("*.tar")}
    assert open_run(plan, str(tmp_path)).missing == []
    generate(plan, tmp_path)
    assert {file.name: file.stat().st_mtime_ns for file in tmp_path.glob("*.tar")} == times


def test_a_shard_without_its_mark_or_of_another_size_is_made_again(plan: Plan, tmp_path: Path) -> None:
    generate(plan, tmp_path)
    (tmp_path / "000003.json").unlink()
    with (tmp_path / "000005.tar").open("ab") as shard:
        shard.write(b"more")
    assert open_run(plan, str(tmp_path)).missing == [3, 5]


def test_a_larger_count_keeps_the_full_shards(plan: Plan, tmp_path: Path) -> None:
    smaller = synthgen.freeze(synthgen.load_recipe("mixed", [*SMALL, "count=20"]))
    generate(smaller, tmp_path)
    assert open_run(plan, str(tmp_path)).missing == list(range(2, 12))


def test_a_directory_of_another_recipe_is_refused(plan: Plan, tmp_path: Path) -> None:
    generate(synthgen.freeze(small_recipe(seed=99, count=2)), tmp_path)
    before = sums(tmp_path)
    with pytest.raises(InputError, match="was made by another recipe"):
        open_run(plan, str(tmp_path))
    assert sums(tmp_path) == before


def test_other_output_settings_are_refused(plan: Plan, tmp_path: Path) -> None:
    generate(
        synthgen.freeze(synthgen.load_recipe("mixed", [*SMALL, "output.shard_size=7", "count=2"])), tmp_path
    )
    with pytest.raises(InputError, match="other output settings"):
        open_run(plan, str(tmp_path))


def test_tars_of_somebody_else_are_refused(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "photos.tar").write_bytes(b"")
    with pytest.raises(InputError, match=r"photos\.tar"):
        open_run(plan, str(tmp_path))


def test_too_many_rejected_samples_fail_the_run_with_advice(tmp_path: Path) -> None:
    recipe = small_recipe(
        judge={"min_contrast": 250}, attempts=1, synthesizers=[{"method": "scar"}], normal_share=0
    )
    with pytest.raises(RunError, match=r"24 of 24 .* rejected, most of them scar: no visible change"):
        generate(synthgen.freeze(recipe), tmp_path)
    assert "manifest.json" not in sums(tmp_path)


def test_an_image_that_changed_since_stops_the_run_and_is_named(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    (tmp_path / "good").mkdir()
    cv2.imwrite(str(tmp_path / "good/a.png"), np.full((64, 64), 100, np.uint8))
    plan = synthgen.freeze(small_recipe(source={"kind": "folder", "path": str(tmp_path / "good")}))
    cv2.imwrite(str(tmp_path / "good/a.png"), np.full((64, 64), 101, np.uint8))
    with pytest.raises(RunError, match=r"a\.png: changed since the plan was made"):
        generate(plan, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.tar"))
    assert not list((tmp_path / "out").glob(".*"))


def test_a_killed_worker_is_reported_and_leaves_nothing_half_written(plan: Plan, tmp_path: Path) -> None:
    run = open_run(plan, str(tmp_path))
    progress = run.make(LocalEngine(1))
    next(progress)
    [worker] = multiprocessing.active_children()
    assert worker.pid
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(RunError, match="killed by signal 9"):
        list(progress)
    assert not list(tmp_path.glob(".*"))
    assert generate(plan, tmp_path).keys() >= {"manifest.json"}


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small file system")
def test_a_full_disk_is_one_sentence_and_the_run_resumes(
    plan: Plan, reference: dict[str, str], tmp_path: Path
) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small file system")
    try:
        with pytest.raises(RunError, match="no space left on the disk"):
            generate(plan, tmp_path)
        assert 0 < len(list(tmp_path.glob("*.tar"))) < 12
        assert not list(tmp_path.glob(".*"))
        subprocess.run(["mount", "-o", "remount,size=50m", str(tmp_path)], check=True)
        assert generate(plan, tmp_path) == reference
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_worker_without_enough_memory_says_so(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ours:
        """The worker's end of its connection."""

        sent: ClassVar[list[object]] = []

        def recv(self) -> int:
            raise MemoryError

        def send(self, news: object) -> None:
            self.sent.append(news)

    for name in ("synthgen.runtime.processes.one_thread", "signal.signal", "gc.freeze"):
        monkeypatch.setattr(name, lambda *_: None)
    _work(cast(Connection, Ours()), plan, str(tmp_path), ("cpu", 0), 8)
    assert Ours.sent == [Failure(RunError, str(out_of_memory(MemoryError())))]
    assert "there is not enough memory" in str(out_of_memory(MemoryError()))
