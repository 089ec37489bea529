"""Two runs for one directory at the same time, and a directory that is the source's own."""

import subprocess
from pathlib import Path

import pytest
from PIL import Image

from synthgen.errors import TransientError
from synthgen.storage.lock import NAME, held
from synthgen.storage.output import OutputDirectory
from tests.cli.helpers import COMMAND, RECIPE, Result, Run, process, sums, write_pictures

pytestmark = pytest.mark.timeout(300)

SMALL = ["--weights", "random", "--set", "image_size=32", "--set", "channels=20"]


def test_of_two_equal_runs_one_refuses_and_the_other_completes(here: Path, run: Run) -> None:
    (here / "r.yaml").write_text(RECIPE.replace("count: 6", "count: 30"))
    command = [*COMMAND, "generate", "r.yaml", "--workers", "1", "--out", "out"]
    both = [
        subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    results = []
    for each in both:
        out, err = each.communicate(timeout=200)
        results.append(Result(each.returncode, out, err))
    if {result.code for result in results} == {0}:
        assert any("shards are there already" in result.err for result in results)  # one after the other
    else:
        [refused] = [result for result in results if result.code]
        refused.assert_refused("out: another run is making these shards; wait for its end, or choose", 75)
    assert run("generate", "r.yaml", "--workers", "1", "--out", "alone").code == 0
    assert sums(here / "out") == sums(here / "alone")


def test_other_shards_of_the_same_plan_are_made_beside_each_other(here: Path, run: Run) -> None:
    generate = ("generate", "r.yaml", "--workers", "1", "--out", "out", "--shards")
    OutputDirectory("out").create()
    with held(here / "out", "refused", [1]):
        assert run(*generate, "0").code == 0
        run(*generate, "1").assert_refused("another run is making these shards", 75)
        run(*generate[:-1]).assert_refused("another run is making these shards", 75)
    assert run(*generate, "1").code == 0
    assert not (here / "out" / NAME).exists()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from synthgen.storage.lock import held\n"
        "with held(Path(sys.argv[1]), 'refused'): print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen(
        [COMMAND[0], "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TransientError, match="refused"), held(tmp_path, "refused", [3]):
            pass
        assert (tmp_path / NAME).exists()
    finally:
        holder.kill()
        holder.communicate()
    with held(tmp_path, "refused"):
        assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert list(tmp_path.iterdir()) == []


def test_a_removed_lock_file_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from synthgen.storage import lock

    opened = lock._opened
    times = iter([True])

    def opened_too_early(path: Path) -> int:
        descriptor = opened(path)
        if next(times, False):
            path.unlink()
        return descriptor

    monkeypatch.setattr(lock, "_opened", opened_too_early)
    with held(tmp_path, "refused"), pytest.raises(TransientError, match="refused"), held(tmp_path, "refused"):
        pass


@pytest.mark.parametrize("command", ["detect fit", "evaluate"])
def test_a_directory_in_which_another_command_writes(command: str, here: Path, run: Run) -> None:
    for name in ("train/good", "test/good", "test/cut"):
        write_pictures(here / "parts/nut" / name, 2)
    (here / "parts/nut/ground_truth/cut").mkdir(parents=True)
    for number in range(2):
        mask = Image.new("L", (64, 64))
        mask.paste(255, (0, 0, 32, 32))
        mask.save(here / f"parts/nut/ground_truth/cut/{number:02d}_mask.png")
    given = {
        "detect fit": ["detect", "fit", "padim", "good", "--out", "out", *SMALL],
        "evaluate": ["evaluate", "padim", "parts", "--seeds", "1", "--out", "out", *SMALL],
    }[command]
    OutputDirectory("out").create()
    with held(here / "out", "refused"):
        run(*given).assert_refused("out: another .* there; choose another --out", 75)
    assert run(*given).code == 0
    assert not (here / "out" / NAME).exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["generate", "r.yaml", "--out", "good"], "good: is the folder of the normal images"),
        (["generate", "r.yaml", "--out", "good/../link"], "link: is the folder of the normal images"),
        (["detect", "fit", "padim", "good", "--out", "good", *SMALL], "good: holds 00.png, which is no part"),
        (["sdas", "train", "good", "--out", "good"], "good: holds no training, but 00.png"),
        (["sdas", "train", "good", "--out", "good/model"], "good/model: lies in the folder of the normal"),
    ],
)
def test_an_out_that_is_the_sources_folder(arguments: list[str], told: str, here: Path, run: Run) -> None:
    (here / "link").symlink_to("good")
    before = sums(here / "good")
    for _ in range(2):
        run(*arguments).assert_refused_at_once(told)
    assert sums(here / "good") == before


def test_an_out_in_the_sources_folder_or_around_it_works_every_time(here: Path, run: Run) -> None:
    (here / "r.yaml").write_text(RECIPE.replace("path: good", f"path: {here}/all/good"))
    write_pictures(here / "all/good")
    for out in ("all/good/shards", "all"):
        for _ in range(2):
            result = run("generate", "r.yaml", "--workers", "1", "--out", out)
            assert result.code == 0, result
        assert "3 normal" in run("check", "r.yaml").out


def test_a_long_folder_for_temporary_files(here: Path) -> None:
    long = here / ("x" * 100)
    long.mkdir()
    made = process("generate", "r.yaml", "--out", "out", "--workers", "2", cwd=here, TMPDIR=str(long))
    assert made.returncode == 0, made.stderr
    code = "import synthgen.runtime.processes as p; p.SHORT_FOLDER = '/nowhere';"
    refused = process(
        "generate",
        "r.yaml",
        "--out",
        "other",
        cwd=here,
        command=[COMMAND[0], "-c", code + "from synthgen.cli.main import main; main()"],
        TMPDIR=str(long),
    )
    Result(refused.returncode, refused.stdout, refused.stderr).assert_refused("TMPDIR=.*: is too long for")


LOADED = """
import torch, synthgen
from torch.utils.data import DataLoader
plan = synthgen.freeze(synthgen.load_recipe("r.yaml"))
loader = DataLoader(synthgen.AnomalyDataset(plan), batch_size=3, num_workers=1, timeout=60)
print(sum(len(batch["key"]) for batch in loader))
"""


def test_a_loader_with_a_long_folder_for_temporary_files(here: Path) -> None:
    long = here / ("x" * 100)
    long.mkdir()
    made = process(cwd=here, command=[COMMAND[0], "-c", LOADED], TMPDIR=str(long))
    assert (made.stdout, made.returncode) == ("6\n", 0), made.stderr
