"""Wrong usage is refused before anything is read."""

from pathlib import Path

import pytest

from tests.cli.helpers import Run

USAGE = {
    "no command": ([], "required: COMMAND"),
    "an unknown command": (["generat"], "invalid choice: 'generat'"),
    "no recipe": (["check"], "required: recipe"),
    "an unknown option": (["check", "r.yaml", "--cuont", "3"], "unrecognized arguments: --cuont 3"),
    "no --out": (["generate", "r.yaml"], "required: --out"),
    "an empty --out": (["generate", "r.yaml", "--out", ""], "--out: expected a path or URL, found nothing"),
    "an empty --source": (["check", "r.yaml", "--source", ""], "--source: expected a path or URL"),
    "an empty recipe": (["check", ""], "recipe: expected a path or URL, found nothing"),
    "an empty directory": (["verify", ""], "directory: expected a path or URL, found nothing"),
    "count 0": (["check", "r.yaml", "--count", "0"], "--count: expected a whole number of 1 or more.*'0'"),
    "count -5": (["check", "r.yaml", "--count", "-5"], "--count: .*found '-5'"),
    "count 1e3": (["check", "r.yaml", "--count", "1e3"], "--count: .*found '1e3'"),
    "a huge count": (
        ["check", "r.yaml", "--count", "9" * 20],
        "count: expected at most 1000000000, found 99",
    ),
    "seed -1": (["check", "r.yaml", "--seed", "-1"], "seed: expected 0 or more, found -1"),
    "seed x": (["check", "r.yaml", "--seed", "x"], "--seed: invalid int value: 'x'"),
    "seed 2^63": (["check", "r.yaml", "--seed", str(2**63)], "seed: expected less than"),
    "workers 0": (["generate", "r.yaml", "--out", "o", "--workers", "0"], "--workers: .*found '0'"),
    "shards x": (["generate", "r.yaml", "--out", "o", "--shards", "x"], "--shards: .*found 'x'"),
    "shards backwards": (["generate", "r.yaml", "--out", "o", "--shards", "5-2"], "first shard before the"),
    "shards without end": (["generate", "r.yaml", "--out", "o", "--shards", "5-"], "--shards: .*found '5-'"),
    "far too many shards": (
        ["generate", "r.yaml", "--out", "o", "--shards", "0-9999999"],
        "at most a million",
    ),
    "an unknown device": (["generate", "r.yaml", "--out", "o", "--device", "gpu"], "invalid choice: 'gpu'"),
    "-n 0": (["preview", "r.yaml", "-n", "0"], "-n: expected a whole number of 1 or more, found '0'"),
    "-n 101": (["preview", "r.yaml", "-n", "101"], "101 samples: 1 to 100 are looked at"),
    "-n for a huge contact sheet": (["preview", "r.yaml", "--contact", "-n", "9999999"], "1 to 1000 are"),
    "--set without =": (["check", "r.yaml", "--set", "seed"], "--set seed: expected field=value, such as"),
    "--set of an unknown path": (
        ["check", "r.yaml", "--set", "synthesizers.0.aera=[0.1, 0.2]"],
        r"synthesizers\[0\]\.aera: unknown field .*did you mean area\?",
    ),
    "--set beyond a list": (["check", "r.yaml", "--set", "synthesizers.7.weight=1"], "from 0 to 0, found 7"),
    "--set below a number": (["check", "r.yaml", "--set", "seed.x=1"], "seed has no fields; it is 1"),
    "--set with broken YAML": (["check", "r.yaml", "--set", "size=[64"], r"--set size=\[64: broken YAML"),
    "a missing recipe": (["check", "qickstart"], r"qickstart: no such file.*did you mean quickstart\?"),
    "a missing recipe with a path": (["check", "recipes/nas.yaml"], r"did you mean nsa\?"),
    "a folder as recipe": (["check", "good"], "good: is a folder; expected a recipe"),
    "an image as recipe": (["check", "good/00.png"], r"00\.png: not a text file"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_is_one_line(case: str, here: Path, run: Run) -> None:
    arguments, pattern = USAGE[case]
    run(*arguments).assert_refused_at_once(pattern)
    assert sorted(file.name for file in here.iterdir()) == ["good", "r.yaml"]
