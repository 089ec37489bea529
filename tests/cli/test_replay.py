"""Replaying a stored sample."""

import re
from pathlib import Path

import pytest

from tests.cli.helpers import Run, forge, moved_mask

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
