"""The Ray engine on a cluster of three nodes on this machine: a local run's bytes, whatever is lost."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster

import synthgen
from synthgen.cli.main import main
from synthgen.engines import ray as engine_module
from synthgen.engines.ray import RayEngine
from synthgen.errors import InputError, RunError
from synthgen.plan.plan import Plan
from tests.cli.helpers import write_pictures
from tests.engines.test_local import sums
from tests.recipes import small_recipe

SHARDS = 60
RECIPE = ["count=240", "size=[64, 64]", "output.shard_size=4"]
SLOW = ["count=1200", "size=[64, 64]", "output.shard_size=20"]
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    made = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    for _ in range(2):
        made.add_node(**NODE)
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def plan() -> Plan:
    return synthgen.freeze(synthgen.load_recipe("mixed", RECIPE))


@pytest.fixture(scope="module")
def slow_plan() -> Plan:
    return synthgen.freeze(synthgen.load_recipe("mixed", SLOW))


@pytest.fixture(scope="module")
def slow_reference(slow_plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("reference") / "local"
    synthgen.generate(slow_plan, out, workers=2)
    return sums(out)


def makers() -> list[psutil.Process]:
    """The processes of the actors that are there now."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [""])[0].startswith("ray::ShardMaker"):
            found.append(process)
    return found


def test_three_nodes_make_the_bytes_of_a_local_run(cluster: Any, plan: Plan, tmp_path: Path) -> None:
    synthgen.generate(plan, tmp_path / "local", workers=1)
    nodes = []
    synthgen.generate(
        plan,
        tmp_path / "ray",
        engine=RayEngine(cluster.address),
        observer=lambda _, news: nodes.append(news.node) if news.finished else None,
    )
    assert sums(tmp_path / "ray") == sums(tmp_path / "local")
    assert len(nodes) == SHARDS and len(set(nodes)) == 3
    assert not ray.is_initialized() and not list((tmp_path / "ray").glob(".*"))


def test_workers_killed_and_a_node_removed_change_no_byte(
    cluster: Any, slow_plan: Plan, slow_reference: dict[str, str], tmp_path: Path
) -> None:
    finished: list[str] = []
    chance, over = random.Random(3), threading.Event()

    def kill() -> None:
        while not over.wait(2):
            for process in chance.sample(there, 1) if (there := makers()) else []:
                process.kill()

    def watch(run: object, news: Any) -> None:
        if news.finished:
            finished.append(news.finished.shard)
            if len(finished) == SHARDS // 2:
                cluster.remove_node(next(iter(cluster.worker_nodes)))

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        synthgen.generate(slow_plan, tmp_path / "out", engine=RayEngine(cluster.address), observer=watch)
    finally:
        over.set()
        killer.join()
        cluster.add_node(**NODE)
    assert sums(tmp_path / "out") == slow_reference
    assert len(finished) == len(set(finished)) == SHARDS


def test_a_driver_that_is_killed_and_started_again_ends_the_same(
    cluster: Any, slow_plan: Plan, slow_reference: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "synthgen.cli", "generate", "mixed", "--out", str(out)]
    command += ["--engine", "ray", "--address", cluster.address]
    for override in SLOW:
        command += ["--set", override]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(out.glob("0*.json"))) < SHARDS // 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    while makers() and time.monotonic() < deadline:  # they end with who started them
        time.sleep(0.1)
    assert not makers() and SHARDS // 3 <= len(list(out.glob("0*.json"))) < SHARDS
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    assert f"of {SHARDS} shards are there already" in done.stderr
    assert sums(out) == slow_reference


def test_a_driver_that_is_asked_to_stop_says_so_as_ever(cluster: Any, tmp_path: Path) -> None:
    """Ray puts a handler of its own in place of Python's."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "synthgen.cli", "generate", "mixed", "--out", str(out)]
    command += ["--engine", "ray", "--address", cluster.address, "--count", "100000"]
    command += ["--set", "size=[64, 64]", "--set", "output.shard_size=20"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(out.glob("0*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.terminate()
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert told.endswith("synthgen: stopped; run the same command again to go on\n") and "***" not in told
    assert not makers() and not list(out.glob(".*.partial"))


def test_an_error_of_the_source_names_the_shard_and_ends_the_run(cluster: Any, tmp_path: Path) -> None:
    write_pictures(tmp_path / "good", 3)
    source = {"kind": "folder", "path": str(tmp_path / "good")}
    gone = synthgen.freeze(small_recipe(source=source, synthesizers=[{"method": "scar"}], count=40))
    for picture in (tmp_path / "good").iterdir():
        picture.unlink()
    with pytest.raises(RunError, match=r"^shard \d \(samples \d+ to \d+\): .*could be read when") as raised:
        synthgen.generate(gone, tmp_path / "out", engine=RayEngine(cluster.address))
    assert "\n" not in str(raised.value)
    assert not list((tmp_path / "out").glob("*.tar"))


def test_more_than_the_cluster_has_is_said_in_time(
    cluster: Any, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "START_SECONDS", 2.0)
    with pytest.raises(
        RunError, match=r"no worker could start within 2 s: .* of 3 CPUs and 0 of 0 GPUs free"
    ):
        synthgen.generate(plan, tmp_path / "out", engine=RayEngine(cluster.address, cpus_per_worker=64))


def test_tasks_are_performed_on_all_nodes(cluster: Any, tmp_path: Path) -> None:
    tasks = [str(tmp_path / str(number)) for number in range(12)]
    done = list(RayEngine(cluster.address).perform(write_process, tasks))
    assert sorted(done) == sorted(tasks)
    assert len({Path(task).read_text() for task in tasks}) > 1
    assert list(RayEngine(cluster.address).perform(write_process, [])) == []


def test_a_task_that_fails_ends_the_others(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^task 3 cannot be done$"):
        list(RayEngine(cluster.address).perform(refuse_the_third, range(6)))


def write_process(task: str) -> None:
    """A task, slow enough for all nodes to begin: leave the number of the process in a file."""
    time.sleep(0.5)
    Path(task).write_text(str(os.getpid()))


def refuse_the_third(task: int) -> None:
    """A task that fails."""
    if task == 3:
        raise InputError("task 3 cannot be done")


def test_no_cluster_is_one_sentence_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    with pytest.raises(InputError, match="give it CPUs or GPUs"):
        RayEngine(cpus_per_worker=0)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(InputError, match=r"no Ray cluster answers at 127\.0\.0\.1:9"):
        RayEngine()
    monkeypatch.delenv("RAY_ADDRESS")
    with pytest.raises(InputError, match=r"no Ray cluster answers at 127\.0\.0\.1:9 .*give the --address"):
        RayEngine("127.0.0.1:9")
    for address in ("nowhere", "host:", ":80", "host:port"):
        with pytest.raises(InputError, match="expected HOST:PORT of a Ray cluster"):
            RayEngine(address)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--address", "10.0.0.5:6379"], "--address is for a Ray cluster; add --engine ray"),
        (["--gpus-per-worker", "1"], "--gpus-per-worker is for a Ray cluster; add --engine ray"),
        (["--engine", "ray", "--device", "cpu"], "--device is for this machine"),
        (["--engine", "ray", "--cpus-per-worker", "some"], "expected a number such as 0.5, 1 or 2"),
        (["--engine", "ray", "--cpus-per-worker", "nan"], "expected a number such as 0.5, 1 or 2"),
    ],
)
def test_wrong_options_are_one_sentence(
    options: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["generate", "cutpaste", "--out", str(tmp_path / "out"), *options])
    assert exited.value.code == 2
    assert sentence in capsys.readouterr().err and not (tmp_path / "out").exists()
