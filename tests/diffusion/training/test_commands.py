"""`synthgen sdas train` in clumsy hands: one line, the right exit code, nothing half-written."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from synthgen.diffusion.model_files import is_model
from synthgen.diffusion.training.directory import TrainingDirectory
from synthgen.storage.lock import NAME as LOCK
from tests import twelve_bits
from tests.cli.helpers import Result, Run
from tests.diffusion.training.trainings import write_pictures
from tests.permissions import locked

pytestmark = pytest.mark.usefixtures("small_presets")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "good")
    return tmp_path


@pytest.fixture
def train(here: Path, run: Run) -> Run:
    """Trains on ten pictures of 16 x 16."""

    def train(*more: object, out: str = "model", size: int | None = 16) -> Result:
        sized = () if size is None else ("--size", size)
        return run("sdas", "train", "good", "--out", out, "--steps", 2, "--device", "cpu", *sized, *more)

    return train


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--set", "flps=both"], "flps: unknown field .*; did you mean flips?"),
        (
            ["--set", "flips=bot"],
            "flips: expected none, horizontal, vertical or both, found bot; did you mean both?",
        ),
        (["--set", "flips"], "expected field=value"),
        (["--set", "learning_rate=fast"], "learning_rate: expected a number, found fast"),
        (["--set", "ema=1"], "ema: expected less than 1, found 1"),
        (["--set", "min_snr=.inf"], "min_snr: expected a finite number"),
        (["--set", "seed=-1"], "seed: expected 0 or more, found -1"),
        (
            ["--set", "view=patch", "--set", "image_size=[12,64]"],
            "image_size.0.: expected 16 or more, found 12",
        ),
        (["--batch", "5000"], "batch: expected at most 4096, found 5000"),
        (["--batch", "0"], "expected a whole number of 1 or more"),
        (["--steps", "0"], "expected a whole number of 1 or more"),
        (["--preset", "huge"], "invalid choice: 'huge'"),
        (["--out", ""], "expected a path or URL"),
        (["--out", "s3://bucket/model"], "s3://bucket/model: is a URL; a model is trained into a directory"),
        (["--categories", "nut"], "good is a folder source, which has no categories"),
        (["--init-from", "none"], "--init-from none: no such directory; expected one, or a hub id"),
        (["--set", "precision=fp16"], "precision fp16: is not for a CPU; use bf16 or no"),
    ],
)
def test_what_was_asked_for_cannot_be(train: Run, here: Path, more: list[str], told: str) -> None:
    train(*more).assert_refused(told)
    assert not (here / "model").exists()


@pytest.mark.parametrize(
    ("size", "more", "told"),
    [
        (2048, [], "size: expected at most 1024, found 2048"),
        (8, [], "size: expected 16 or more, found 8"),
        (33, [], "size 33: the preset tiny takes sides that are multiples of 2, such as 32"),
        (
            100,
            ["--preset", "adm"],
            "size 100: the preset adm takes sides that are multiples of 32, such as 96",
        ),
        (
            128,
            ["--set", "view=patch", "--set", "image_size=[64,200]"],
            "size 128: patches cannot be larger than the images of 200 x 64 pixels",
        ),
    ],
)
def test_sizes_that_the_network_cannot_take(train: Run, size: int, more: list[str], told: str) -> None:
    train(*more, size=size).assert_refused(told)


def test_a_source_that_is_not_there(here: Path, run: Run) -> None:
    run("sdas", "train", "none", "--out", "model").assert_refused("none")
    write_pictures(here / "few", 3)
    run("sdas", "train", "few", "--out", "model", "--size", 16).assert_refused(
        "has 3 images to train on .* needs 8"
    )
    assert not (here / "model").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there(here: Path, run: Run) -> None:
    run("sdas", "train", "good", "--out", "model", "--device", "cuda").assert_refused("finds no CUDA device")


def test_an_out_that_is_something_else(train: Run, here: Path) -> None:
    (here / "file").write_text("a file")
    train(out="file").assert_refused("file: is a file; --out is the directory of the model")
    train(out="good").assert_refused("good: holds no training, but 0.png; choose another --out")
    (here / "shipped").mkdir()
    (here / "shipped" / "synthgen.json").write_text("{}")
    train(out="shipped").assert_refused("shipped: holds a model without its training; choose another --out")
    train(out="file/below/model").assert_refused("file: is a file; --out is the directory of the model")


def test_an_out_that_cannot_be_written(train: Run, here: Path) -> None:
    with locked(here / "locked"):
        train(out="locked/model").assert_refused("locked: no permission to write there; choose another --out")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--set", "seed=1"], "a training with seed 0 was begun there, and 1 is asked for; give the same"),
        (["--batch", "3"], "a training with batch 2 was begun there, and 3 is asked for"),
        (["--size", "32"], "a training with size 16 was begun there, and 32"),
    ],
)
def test_an_out_with_another_training(train: Run, more: list[str], told: str) -> None:
    assert train().code == 0
    train(*more).assert_refused(told)
    assert train("--batch", "2").code == 0  # which is the preset's


def test_an_out_with_a_training_of_other_images(train: Run, here: Path) -> None:
    assert train().code == 0
    (here / "good" / "0.png").unlink()
    train().assert_refused("a training with images 8 images, sha256 .* was begun there, and 8 images, sha256")


def test_two_trainings_at_once_are_kept_apart(train: Run, here: Path) -> None:
    with TrainingDirectory(here / "model").held():
        train().assert_refused(
            "model: another training is running there; wait for its end, or choose another", 75
        )
        assert [path.name for path in (here / "model" / "training").iterdir()] == [LOCK]
    assert train().code == 0
    assert not (here / "model" / "training" / LOCK).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small file system")
@pytest.mark.parametrize("kilobytes", [8, 400, 1300, 1900])
def test_a_full_disk_is_one_sentence_and_the_training_goes_on(train: Run, here: Path, kilobytes: int) -> None:
    (here / "disk").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", "disk"]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small file system")
    try:
        result = train(out="disk/model")
        result.assert_refused("cannot be written .*make room and run the same command again", 1)
        assert "bug" not in result.err
        assert not list(here.rglob("disk/model/**/.*"))
        assert not is_model(here / "disk" / "model")
        subprocess.run(["mount", "-o", "remount,size=50m", "disk"], check=True)
        assert train(out="disk/model").code == 0
        assert is_model(here / "disk" / "model")
    finally:
        subprocess.run(["umount", "-l", "disk"], check=True)


def test_a_training_without_a_state_may_begin_otherwise(train: Run, here: Path) -> None:
    (here / "model" / "training").mkdir(parents=True)
    (here / "model" / "training" / "settings.json").write_text("{")
    (here / "model" / "training" / "loss.csv").write_text("update,loss,gradient_norm\n0,1.0,1.0\n1,0.")
    assert train("--set", "seed=7").code == 0
    assert (here / "model" / "training" / "loss.csv").read_text().count("\n") == 3


@pytest.mark.parametrize("text", ["{", "[]", '{"preset": "tiny"}', '{"preset": "huge", "size": 33}', "\xff"])
def test_settings_that_are_damaged(train: Run, here: Path, text: str) -> None:
    assert train().code == 0
    (here / "model" / "training" / "settings.json").write_text(text, "latin-1")
    train().assert_refused(
        r"model/training/settings.json: cannot be read \(.*restore it, or choose another --out"
    )


def test_files_that_cannot_be_used_are_told(train: Run, here: Path) -> None:
    (here / "good" / "broken.png").write_bytes(b"broken")
    result = train()
    assert result.code == 0
    assert "skipped broken.png: the file starts with 'broken'" in result.err


def test_classes_that_begin_anew_are_told(train: Run, here: Path, run: Run) -> None:
    assert train().code == 0
    for category in ("nut", "bolt"):
        write_pictures(here / "parts" / category / "train" / "good", seed=len(category))
    more = ("--size", 16, "--steps", 1, "--device", "cpu", "--init-from", "model")
    result = run("sdas", "train", "parts", "--out", "both", *more)
    assert result.code == 0
    assert "note: the first weights are of other classes, so that embedding begins anew" in result.err
    assert "| first weights | sha256 " in (here / "both" / "README.md").read_text()


def test_a_builtin_picture_that_is_not_there(here: Path, run: Run) -> None:
    run("sdas", "train", "builtin", "--out", "model", "--categories", "brick,gras").assert_refused(
        "category gras: no such photograph is built in; did you mean grass.*; there are brick, camera"
    )


def test_the_builtin_pictures_need_no_download(here: Path, run: Run) -> None:
    more = ("--size", 16, "--steps", 1, "--device", "cpu", "--set", "view=patch")
    result = run("sdas", "train", "builtin", "--out", "model", *more)
    assert result.code == 0
    assert "trained for 1 updates on 12 images" in result.out


def test_pictures_of_12_bits_are_trained_on(train: Run, here: Path, run: Run) -> None:
    for number in range(10):
        twelve_bits.save(here / "deep" / f"{number}.tif", twelve_bits.deep(twelve_bits.picture(number)))
    result = run("sdas", "train", "deep", "--out", "model", "--steps", 2, "--device", "cpu", "--size", 16)
    assert (result.code, "skipped" in result.err) == (0, False)
    assert "trained for 2 updates on 8 images" in result.out
    assert is_model(here / "model")


def test_a_short_training_is_told_by_train_check_and_generate(train: Run, run: Run) -> None:
    told = "trained for only 2 updates of 2 images, so expect noise"
    assert train().err.count(f"note: model is {told}") == 1
    recipe = ("sia", "--source", "good", "--set", "synthesizers.0.model=model", "--count", 1)
    options = ("--set", "size=[16,16]", "--set", "synthesizers.0.sampling.steps=1")
    assert run("check", *recipe, *options).out.count(f"model model is {told}") == 1
    generated = run("generate", *recipe, *options, "--out", "shards", "--workers", 1)
    assert generated.code == 0 and generated.err.count(f"note: model model is {told}") == 1
