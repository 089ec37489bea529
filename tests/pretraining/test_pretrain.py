"""A pre-training from its source to its weights: the same again, after an interruption too, and told of."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import synthgen
from synthgen.detectors.choice import DetectorChoice
from synthgen.errors import InputError, RunError
from synthgen.pretraining import loop
from synthgen.pretraining.pretrain import Pretraining
from synthgen.pretraining.record import read_record, weights_named
from synthgen.pretraining.settings import PretrainingSettings
from synthgen.pretraining.trainer import Trainer, Update
from tests.cli.helpers import write_pictures

STEPS = 5


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretraining") / "good"
    write_pictures(folder, 12, height=40, width=40)
    return folder


def settings(**more: Any) -> PretrainingSettings:
    small = {"size": 32, "batch": 4, "steps": STEPS, "stage": 1, "init": "random", "backbone": "resnet18"}
    return PretrainingSettings.model_validate(small | more)


def train(good: Path, out: Path, **more: Any) -> Pretraining:
    return synthgen.pretrain(good, out, settings(**more), device="cpu")


@contextmanager
def interrupted_before(number: int) -> Iterator[None]:
    """A training that Ctrl-C stops before the update of this number."""
    update = Trainer.update

    def interrupted(trainer: Trainer, asked: int) -> Update:
        if asked == number:
            raise KeyboardInterrupt
        return update(trainer, asked)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "update", interrupted)
        yield


@pytest.mark.parametrize("base", ["simclr", "moco", "simsiam"])
def test_the_same_seed_gives_the_same_weights_also_after_an_interruption(
    base: str, good: Path, tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole.safetensors", tmp_path / "cut.safetensors"
    train(good, whole, base=base)
    with interrupted_before(3):
        train(good, cut, base=base)
    assert not cut.exists()
    first = (tmp_path / "cut.training" / "loss.csv").read_text()
    assert first.count("\n") == 4
    train(good, cut, base=base)
    assert whole.read_bytes() == cut.read_bytes()
    logs = [(tmp_path / f"{name}.training" / "loss.csv").read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1] and logs[0].startswith("update,loss,base,spd,spread,changed\n0,")
    assert not list((tmp_path / "cut.training").glob("*.pt"))
    assert (tmp_path / "cut.training" / "loss.png").exists()


def test_the_weights_are_the_backbones_and_tell_where_they_come_from(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "weights.safetensors"
    assert train(good, out, stage=3, steps=1).images == 10
    detector = DetectorChoice("padim", weights=str(out), device="cpu").make()
    assert detector.backbone and detector.backbone.name == "resnet18"
    written, loaded = load_file(out), detector.backbone.state_dict()
    assert all(torch.equal(written[name], tensor) for name, tensor in loaded.items() if "tracked" not in name)
    record = read_record(out)
    assert record and record == type(record).model_validate_json(out.with_suffix(".json").read_text())
    assert record.pictures == 5 * 4 and "10 images" in record.images and "reconstruction" in record.note
    assert record.summary == "simclr + SPD (contrast), 1 updates from random, seed 0"


def test_the_term_changes_the_weights_and_the_seed_does(good: Path, tmp_path: Path) -> None:
    arms: dict[str, dict[str, Any]] = {
        "both": {},
        "base": {"spd": "none"},
        "margin": {"spd": "margin", "margin": 1.0},
        "projection": {"spd_on": "projection"},
        "seed": {"seed": 1},
        "parts": {"accumulate": 2},
    }
    found = {}
    for name, more in arms.items():
        train(good, tmp_path / f"{name}.safetensors", steps=2, **more)
        found[name] = (tmp_path / f"{name}.safetensors").read_bytes()
    assert len(set(found.values())) == len(arms)


def test_without_weight_the_term_changes_nothing_but_the_norms_statistics(good: Path, tmp_path: Path) -> None:
    train(good, tmp_path / "none.safetensors", steps=2, spd="none")
    train(good, tmp_path / "zero.safetensors", steps=2, weight=0)
    none, zero = load_file(tmp_path / "none.safetensors"), load_file(tmp_path / "zero.safetensors")
    learned = [name for name in none if "running" not in name and "tracked" not in name]
    assert all(torch.equal(none[name], zero[name]) for name in learned)


def test_what_is_there_is_not_trained_again_and_nothing_else_is_overwritten(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "weights.safetensors"
    train(good, out, steps=1)
    monkeypatch.setattr(Trainer, "update", lambda *_: pytest.fail("trained again"))
    assert train(good, out, steps=1).was_finished
    with pytest.raises(InputError, match="holds weights with steps 1, and 2 is asked for"):
        train(good, out, steps=2)
    out.write_bytes((tmp_path / "weights.json").read_bytes())
    with pytest.raises(InputError, match="not a readable safetensors file"):
        train(good, out, steps=1)


@pytest.mark.parametrize(
    ("update", "told"),
    [
        (
            Update(float("nan"), 0, 0, 1, 1),
            "stopped at update 0, where the loss or the weights are not a number",
        ),
        (Update(1, 1, 0, 0.05, 1), "collapsed at update 12: .*spread of its outputs is 0.05"),
    ],
)
def test_a_training_that_goes_wrong_ends_in_a_line(
    update: Update, told: str, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "update", lambda *_: update)
    out = tmp_path / "weights.safetensors"
    with pytest.raises(RunError, match=told):
        train(good, out, steps=10 if "stopped" in told else 14)
    assert not out.exists()


def test_too_little_memory_is_told(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Update:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Trainer, "update", fail)
    with pytest.raises(RunError, match="a batch of 4 images at once does not fit in the memory of cpu"):
        train(good, tmp_path / "weights.safetensors")


def test_a_collapse_names_another_base(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop.CollapseWatch, "is_collapsed", lambda *_: True)
    with pytest.raises(RunError, match="try simclr or moco"):
        train(good, tmp_path / "weights.safetensors", base="simsiam")


def test_reports_say_how_weights_were_trained(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "weights.safetensors"
    train(good, out, steps=1, spd="none", base="moco")
    assert weights_named(str(out)) == "weights.safetensors (moco, 1 updates from random, seed 0)"
    assert weights_named("imagenet") == "imagenet"
    save_file({"conv1.weight": torch.zeros(1)}, tmp_path / "others.safetensors")
    assert weights_named(str(tmp_path / "others.safetensors")) == "others.safetensors"


def test_a_collapse_stays_one_however_often_it_is_tried(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "update", lambda *_: Update(1, 1, 0, 0.05, 1))
    out = tmp_path / "weights.safetensors"
    for _ in range(3):
        with pytest.raises(RunError, match="collapsed at update 12"):
            train(good, out, steps=14)
    assert not out.exists()


def test_copies_that_never_differ_are_told(good: Path, tmp_path: Path) -> None:
    never = synthgen.load_recipe("cutpaste", ["judge.min_contrast=255", "attempts=2"])
    out = tmp_path / "weights.safetensors"
    with pytest.raises(RunError, match="none of the first 5 updates had a copy with a defect that shows"):
        synthgen.pretrain(good, out, settings(), recipe=never, device="cpu")
    out = tmp_path / "alone.safetensors"
    assert synthgen.pretrain(good, out, settings(spd="none"), recipe=never, device="cpu").images == 10


@pytest.mark.parametrize("line", ["0,abc,1,2,3,4", "0,1", "0,\xff,1,1,1,1", "x", "1e0,1,1,1,1,1"])
def test_lines_of_the_log_that_are_not_ours_are_forgotten(line: str, good: Path, tmp_path: Path) -> None:
    out = tmp_path / "weights.safetensors"
    with interrupted_before(2):
        train(good, out, steps=3)
    with (tmp_path / "weights.training" / "loss.csv").open("a", encoding="latin-1") as log:
        log.write(f"{line}\n")
    train(good, out, steps=3)
    assert (tmp_path / "weights.training" / "loss.csv").read_text().count("\n") == 4


def test_what_is_not_ours_is_not_overwritten(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "weights.safetensors"
    (tmp_path / "weights.json").write_text('{"my": "file"}')
    with pytest.raises(InputError, match=r"weights\.json: is no record of weights, and would be overwritten"):
        train(good, out)
    (tmp_path / "weights.json").unlink()
    (tmp_path / "weights.json").mkdir()
    with pytest.raises(InputError, match="is no record of weights"):
        train(good, out)
    (tmp_path / "weights.json").rmdir()
    folder = tmp_path / "weights.training"
    folder.write_text("a file")
    with pytest.raises(InputError, match=r"weights\.training: is a file"):
        train(good, out)
    folder.unlink()
    for name in ("loss.csv", "settings.json", "state-0000001.pt", "notes.txt"):
        folder.mkdir()
        (folder / name).write_text("mine")
        with pytest.raises(InputError, match=f"holds {name}, which is of no training"):
            train(good, out)
        (folder / name).unlink()
        folder.rmdir()
    with pytest.raises(InputError, match="its name is too long"):
        train(good, tmp_path / f"{'w' * 200}.safetensors")


def test_weights_do_not_depend_on_where_the_images_lie(good: Path, tmp_path: Path) -> None:
    shutil.copytree(good, tmp_path / "moved")
    train(good, tmp_path / "one.safetensors", steps=1)
    train(tmp_path / "moved", tmp_path / "two.safetensors", steps=1)
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()


def test_what_a_killed_process_left_beside_finished_weights_is_tidied(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "weights.safetensors"
    train(good, out, steps=1)
    record = (tmp_path / "weights.json").read_text()
    (tmp_path / "weights.json").write_text("")
    (tmp_path / "weights.training" / "state-0000001.pt").write_bytes(b"state")
    left = tmp_path / f".weights.safetensors.{socket.gethostname()}.999999999.partial"
    left.write_bytes(b"half")
    assert train(good, out, steps=1).was_finished
    assert (tmp_path / "weights.json").read_text() == record
    assert not left.exists() and not list((tmp_path / "weights.training").glob("*.pt"))


def test_weights_that_another_process_has_finished_meanwhile_stay(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(good, tmp_path / "other.safetensors", steps=1, seed=1)
    out, begin = tmp_path / "weights.safetensors", Trainer.__init__

    def slowly(trainer: Trainer, *arguments: Any) -> None:
        begin(trainer, *arguments)
        shutil.copy(tmp_path / "other.safetensors", out)

    monkeypatch.setattr(Trainer, "__init__", slowly)
    with pytest.raises(InputError, match="holds weights with seed 1, and 0 is asked for"):
        train(good, out, steps=1)
    assert out.read_bytes() == (tmp_path / "other.safetensors").read_bytes()
