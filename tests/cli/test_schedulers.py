"""Runs that a scheduler starts: each makes its share, and `finish` describes the whole."""

from pathlib import Path

import pytest

from tests.cli.helpers import RECIPE, Run, sums

COUNTED = RECIPE.replace("count: 6", "count: 15")  # five shards


@pytest.fixture(autouse=True)
def no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def plan(here: Path, run: Run) -> str:
    (here / "r.yaml").write_text(COUNTED)
    assert run("plan", "r.yaml", "--out", "plan.json").code == 0
    return "plan.json"


def shards(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("*.tar"))


@pytest.mark.parametrize(
    ("index", "variables"),
    [
        (["--worker-index", "1"], {"JOB_COMPLETION_INDEX": "0"}),
        ([], {"JOB_COMPLETION_INDEX": "1", "SLURM_ARRAY_TASK_ID": "0"}),
        ([], {"SLURM_ARRAY_TASK_ID": "1"}),
        ([], {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_MIN": "1"}),  # one task, submitted again
    ],
)
def test_a_worker_makes_its_share(
    run: Run, plan: str, index: list[str], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    asked = run("generate", plan, "--out", "out", "--workers", "1", "--num-workers", "2", *index)
    assert asked.code == 0 and "out: 2 of 5 shards, 6 samples" in asked.out
    assert shards(Path("out")) == [1, 3]


def test_all_shares_together_are_one_run(here: Path, run: Run, plan: str) -> None:
    assert run("generate", "r.yaml", "--out", "alone", "--workers", "1").code == 0
    for worker in ("2", "0"):
        share = ("--num-workers", "3", "--worker-index", worker)
        assert run("generate", plan, "--out", "out", "--workers", "1", *share).code == 0
    early = run("finish", "out")
    assert early.code == 75 and not early.out
    assert early.err == (
        "synthgen: out: 2 of 5 shards are missing (1,4); make them by `synthgen generate`, and finish again\n"
    )
    assert not (here / "out" / "manifest.json").exists()
    share = ("--num-workers", "3", "--worker-index", "1")
    assert run("generate", plan, "--out", "out", "--workers", "1", *share).code == 0
    (here / "out" / "manifest.json").unlink()  # the last one to end found all there, and wrote it
    ended = run("finish", "out")
    assert ended.code == 0 and ended.out == "out: 5 of 5 shards, 15 samples\n"
    assert sums(here / "out") == sums(here / "alone")


def test_more_workers_than_shards_is_no_failure(here: Path, run: Run, plan: str) -> None:
    asked = run("generate", plan, "--out", "out", "--num-workers", "9", "--worker-index", "7")
    assert asked.code == 0 and "fewer shards than workers" in asked.out
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--num-workers", "4"], "neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set"),
        (["--worker-index", "1"], "--worker-index: say of how many by --num-workers"),
        (["--num-workers", "4", "--worker-index", "4"], "worker 4: there are 4, numbered 0 to 3"),
        (["--num-workers", "4", "--worker-index", "1", "--shards", "0"], "give one of them"),
        (["--num-workers", "0", "--worker-index", "0"], "expected a whole number of 1 or more"),
        (["--count", "3"], "--count: plan.json is a plan, in which everything is decided"),
        (["--seed", "0"], "--seed: plan.json is a plan, in which everything is decided"),
        (["--set", "seed=3"], "--set: plan.json is a plan, in which everything is decided"),
        (["--source", "good"], "--source: plan.json is a plan, in which everything is decided"),
    ],
)
def test_what_cannot_be_is_one_sentence(run: Run, plan: str, options: list[str], sentence: str) -> None:
    run("generate", plan, "--out", "out", *options).assert_refused(sentence)


@pytest.mark.parametrize("name", ["JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID"])
@pytest.mark.parametrize("value", ["first", "", "-1", "9" * 5000])
def test_a_scheduler_that_counts_otherwise_is_one_sentence(
    run: Run, plan: str, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    asked = run("generate", plan, "--out", "out", "--num-workers", "4")
    asked.assert_refused(f"{name} is '{value[:20]}.*, and not the number of a worker")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"seed":1', '"seed":2', "is not as `synthgen plan` wrote it"),
        ('"channels":3', '"channels":1', "is not as `synthgen plan` wrote it"),
        (
            '"format_version":1',
            '"format_version":99',
            "is of format 99, and this version .* reads 1",
        ),
    ],
)
def test_a_plan_that_was_changed_is_refused(run: Run, plan: str, old: str, new: str, sentence: str) -> None:
    text = Path(plan).read_text().replace(": ", ":")
    assert old in text
    Path(plan).write_text(text.replace(old, new))
    run("generate", plan, "--out", "out").assert_refused(sentence)


def test_a_directory_of_another_program_cannot_be_finished(here: Path, run: Run) -> None:
    run("finish", "good").assert_refused("has no plan.json")
