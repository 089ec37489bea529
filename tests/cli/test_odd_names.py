"""Folders whose names look like something else: every command takes them for what they are, names."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.helpers import RECIPE, Run, write_pictures

NAMES = [
    "a::b",
    "zip::x",
    "file:x",
    "s3:",
    "{0..3}",
    "[1]*?",
    "100%25#~",
    "-two words ",
    " ~",
    "~",
    "~nobody-here",
    "new\nline\t",
    "'\"\\&!`",
    "null",
    "日本: ü",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_an_odd_name(name: str, here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here / "home"))
    write_pictures(here / name / "good", 4)
    (here / name / "masks").mkdir()
    for number in range(4):
        Image.new("L", (64, 64), 255).save(here / name / f"masks/{number:02d}.png")
    top = f"./{name}" if name.startswith(("~", "-")) else name
    masks = json.dumps({"masks": f"{top}/masks"})
    given = f"--source={top}/good"
    for arguments in (
        ("init", f"{top}/good", f"--out={top}/r.yaml"),
        ("generate", f"{top}/r.yaml", "--count=3", f"--out={top}/out", "--workers=1"),
        ("verify", f"{top}/out", given),
        ("replay", f"{top}/out/000000.tar", "000000001", given, f"--out={top}/replayed"),
        ("check", "r.yaml", given, "--set", f"foreground={masks}"),
        ("preview", f"{top}/r.yaml", "-n=2", f"--out={top}/sheet.png"),
        ("plan", "r.yaml", given, f"--out={top}/plan.json"),
        ("inspect", f"{top}/out", f"--out={top}/histogram.png"),
    ):
        result = run(*arguments)
        assert result.code == 0, (arguments, result.err)
    written = {"r.yaml", "out", "replayed", "sheet.png", "plan.json", "histogram.png"}
    assert {path.name for path in (here / name).iterdir()} == {"good", "masks", *written}
    assert {path.name for path in here.iterdir()} == {"good", "r.yaml", name}


@pytest.mark.parametrize("name", ["[1]*?", "{0..3}", "a::b"])
def test_a_pattern_of_shards_below_a_folder_of_an_odd_name(name: str, here: Path, run: Run) -> None:
    (here / "r.yaml").write_text(RECIPE.replace("count: 6", "count: 6\nnormal_share: 0.99"))
    assert run("generate", "r.yaml", "--out", f"{name}/out", "--workers", "1").code == 0
    for pattern in ("*.tar", "{000000..000001}.tar"):
        found = run("check", "r.yaml", "--source", f"{name}/out/{pattern}")
        assert "6 normal" in found.out, found
