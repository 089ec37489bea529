"""`synthgen pretrain` and `synthgen attention`: what they print, and what they refuse in one line."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.helpers import Run, write_pictures
from tests.diffusion.training.trainings import forget_accelerator

SMALL = (
    "--size",
    32,
    "--batch",
    4,
    "--steps",
    2,
    "--init",
    "random",
    "--backbone",
    "resnet18",
    "--device",
    "cpu",
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "good", 12)
    forget_accelerator()
    yield tmp_path
    forget_accelerator()


def test_weights_are_trained_looked_at_and_taken_by_a_detector(here: Path, run: Run) -> None:
    term = ("--spd", "margin", "--weight", 0.5, "--temperature", 0.2, "--recipe", "cutpaste")
    more = ("--base", "moco", *term, "--set", "seed=3")
    done = run("pretrain", "good", "--out", "w.safetensors", *SMALL, *more)
    assert (done.code, done.out) == (0, "w.safetensors: resnet18 trained for 2 updates on 10 images\n")
    assert "the term is a reconstruction" in done.err
    record = json.loads((here / "w.json").read_text())
    given = {
        "base": "moco",
        "spd": "margin",
        "weight": 0.5,
        "temperature": 0.2,
        "seed": 3,
        "backbone": "resnet18",
    }
    assert {name: record[name] for name in given} == given
    assert record["recipe"].startswith("cutpaste, sha256 ")
    again = run("pretrain", "good", "--out", "w.safetensors", *SMALL, *more)
    assert again.code == 0 and "nothing is left to do" in again.out
    asked = ("--source", "good", "--pairs", 2, "--size", 64, "--device", "cpu")
    looked = run("attention", "w.safetensors", "cutpaste", "--out", "looked", *asked)
    assert looked.code == 0, looked
    assert looked.out.startswith(
        "resnet18, w.safetensors (moco + SPD (margin), 2 updates from random, seed 3): 2 pairs"
    )
    assert looked.out.count("of the attention in the mask") == 4
    assert {path.name for path in (here / "looked").iterdir()} == {"attention.json", "attention.png"}
    small = ("--set", "image_size=32", "--set", "channels=20")
    fitted = run("detect", "fit", "padim", "good", "--out", "fitted", "--weights", "w.safetensors", *small)
    assert fitted.code == 0, fitted


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--out", "w.pth"), "--out is the file of the weights; its name ends in .safetensors"),
        (
            ("--out", "good.safetensors/w.safetensors"),
            "good.safetensors: is a file; --out is a file, in",
        ),
        (("--out", "https://x/w.safetensors"), "is a URL"),
        (("--batch", 11), "has 10 images to train on .* give 10 or less"),
        (("--batch", 1), "batch: expected 2 or more, found 1"),
        (("--set", "accumulate=3"), "batch 4: cannot be cut into 3 equal parts"),
        (("--set", "accumulate=4"), "batch 4: cannot be cut into 4 equal parts"),
        (("--temperature", 0), "temperature: expected more than 0"),
        (("--weight", "nan"), "weight: expected a number"),
        (("--init", "nowhere.pth"), "--init nowhere.pth: there is no such file"),
        (("--recipe", "nothing"), "no such file, and no shipped recipe"),
        (("--recipe", "sia"), "makes whole images that have no mask"),
        (("--base", "byol"), "invalid choice: 'byol'"),
        (("--set", "precision=fp16"), "fp16: is not for a CPU"),
        (("--set", "steps_=1"), "steps_: unknown field .* did you mean steps"),
    ],
)
def test_what_cannot_be_trained_is_one_line(
    more: tuple[object, ...], told: str, here: Path, run: Run
) -> None:
    (here / "good.safetensors").write_bytes(b"")
    out = () if more[0] == "--out" else ("--out", "w.safetensors")
    refused = run("pretrain", "good", *SMALL, *out, *more)
    refused.assert_refused_at_once(told)
    assert not (here / "w.safetensors").exists()


def test_four_images_are_too_few(here: Path, run: Run) -> None:
    write_pictures(here / "few", 4)
    refused = run("pretrain", "few", "--out", "w.safetensors", *SMALL)
    refused.assert_refused_at_once("has 4 images to train on")
