"""Trainings from start to end: that they learn, what they leave, and when they stop."""

import json
import re
import socket
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from diffusers import DDPMPipeline, UNet2DModel

from synthgen.diffusion.model_files import read_facts
from synthgen.diffusion.packing import packed, unpacked
from synthgen.diffusion.training import loop as training
from synthgen.diffusion.training import trainer as trainer_module
from synthgen.diffusion.training.loss import DiffusionLoss
from synthgen.diffusion.training.network import new_network
from synthgen.diffusion.training.settings import TrainingSettings
from synthgen.diffusion.training.trainer import Trainer, Update
from synthgen.streams import Stream
from tests.cli.helpers import Run
from tests.diffusion.training import killed
from tests.diffusion.training.trainings import (
    SIDE,
    STEPS,
    arguments,
    images,
    last_state,
    log,
    trainer,
    write_pictures,
)

pytestmark = pytest.mark.usefixtures("small_presets")


def test_the_log_has_every_update(undisturbed: Path) -> None:
    header, *lines = log(undisturbed).splitlines()
    assert header == "update,loss,gradient_norm"
    rows = [line.split(",") for line in lines]
    assert [int(number) for number, _, _ in rows] == list(range(STEPS))
    losses = [float(loss) for _, loss, _ in rows]
    assert all(0 < loss < 10 for loss in losses)


def test_the_first_weights_depend_on_the_seed_alone() -> None:
    def weights(seed: int) -> torch.Tensor:
        return new_network(TrainingSettings(size=16, seed=seed), 3, 1).state_dict()["conv_in.weight"]

    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = weights(5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(weights(5), one)
    assert not torch.equal(weights(6), one)


def test_a_training_learns() -> None:
    of = images(8)
    of.pixels[:] = of.pixels[:, :1, :1]  # each of one colour
    with trainer(of, TrainingSettings(size=16, batch=8, learning_rate=5e-3, warm_up=5)) as learning:
        losses = [learning.update(number).loss for number in range(30)]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


def test_not_a_number_stops_and_keeps_the_last_good_state(
    source: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, real = tmp_path / "model", DiffusionLoss.__call__
    calls = iter(range(100))

    def diverging(self: DiffusionLoss, *tensors: torch.Tensor) -> torch.Tensor:
        return real(self, *tensors) * (float("nan") if next(calls) == 6 else 1)

    monkeypatch.setattr(DiffusionLoss, "__call__", diverging)
    run(*arguments(source, out)).assert_refused(
        "training stopped at update 6, where the loss or the weights are not a number; the state after 6 "
        "updates is kept; .*lower learning_rate",
        code=1,
    )
    assert not (out / "synthgen.json").exists()
    state = last_state(out)
    assert all(
        bool(weight.isfinite().all()) for weight in [*state["network"].values(), *state["average"].values()]
    )
    assert log(out).count("\n") == 7


def test_weights_that_are_no_numbers_are_never_saved(
    source: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, real = tmp_path / "model", Trainer.update

    def spoiling(self: Trainer, number: int) -> Update:
        update = real(self, number)
        if number == 3:
            with torch.no_grad():
                next(self.unet.parameters())[0, 0, 0, 0] = float("inf")
        return update

    monkeypatch.setattr(Trainer, "update", spoiling)
    run(*arguments(source, out)).assert_refused(
        "stopped at update 3.*the state after 3 updates is kept", code=1
    )
    assert [path.name for path in sorted((out / "training").glob("state-*"))] == [
        "state-0000002.pt",
        "state-0000003.pt",
    ]


def test_pictures_are_left_at_intervals(
    source: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "LEAST_BETWEEN_GRIDS", 3)
    out = tmp_path / "model"
    assert run(*arguments(source, out, "--batch", "8", steps=7)).code == 0
    assert sorted(path.name for path in (out / "training").glob("*.png")) == [
        "samples-0000003.png",
        "samples-0000006.png",
    ]
    assert cv2.imread(str(out / "training" / "samples-0000003.png")).shape == (70, 70, 3)


def test_one_category_opens_as_a_pipeline_and_samples(undisturbed: Path) -> None:
    pipeline = DDPMPipeline.from_pretrained(undisturbed)
    pipeline.set_progress_bar_config(disable=True)
    [picture] = pipeline(num_inference_steps=2, generator=torch.Generator().manual_seed(0)).images
    assert picture.size == (SIDE, SIDE)
    average = last_state(undisturbed)["average"]
    assert all(torch.equal(weight, average[name]) for name, weight in pipeline.unet.state_dict().items())
    card = (undisturbed / "README.md").read_text()
    assert "`DDPMPipeline.from_pretrained(directory)()`" in card
    code = card.split("```python\n")[1].split("```")[0].replace("path/to/this/directory", str(undisturbed))
    made: dict[str, Any] = {}
    exec(code, made)
    assert [picture.shape for picture in made["pictures"]] == [(SIDE, SIDE, 3)]
    assert "| trained on | 8 normal images, as whole images, resized to 16 x 16 |" in card
    assert read_facts(undisturbed).categories == ["good"]


@pytest.fixture(scope="session")
def two_categories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mvtec")
    for seed, category in enumerate(("nut", "bolt")):
        write_pictures(root / category / "train" / "good", 6, seed=seed)
    return root


def test_several_categories_open_as_a_network_with_labels(
    two_categories: Path, tmp_path: Path, run: Run
) -> None:
    out = tmp_path / "model"
    more = ("--set", "variance=learned", "--set", "prediction=epsilon")
    assert run(*arguments(two_categories, out, *more, steps=2)).code == 0
    network = UNet2DModel.from_pretrained(out, subfolder="unet")
    output = network(torch.zeros(2, 3, SIDE, SIDE), 5, torch.tensor([0, 2])).sample
    assert output.shape == (2, 6, SIDE, SIDE)
    assert read_facts(out).categories == ["bolt", "nut"]
    card = (out / "README.md").read_text()
    assert "the labels are 0 bolt, 1 nut, and 2 for no class" in card
    assert "epsilon; learned variance" in card
    scheduler = json.loads((out / "scheduler" / "scheduler_config.json").read_text())
    assert (scheduler["prediction_type"], scheduler["variance_type"]) == ("epsilon", "learned_range")


def test_packed_pixels_open_as_a_network_and_say_so(source: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "model"
    assert run(*arguments(source, out, "--preset", "small", steps=2)).code == 0
    network = UNet2DModel.from_pretrained(out, subfolder="unet")
    noise = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    assert unpacked(network(packed(noise, 2), 5).sample, 2).shape == noise.shape
    assert read_facts(out).packing == 2
    assert "Squares of 2 x 2 pixels are packed" in (out / "README.md").read_text()
    assert not (out / "model_index.json").exists()


def test_packing_puts_squares_of_pixels_into_channels() -> None:
    picture = torch.arange(3 * 4 * 6).view(1, 3, 4, 6)
    small = packed(picture, 2)
    assert small[0, :, 1, 2].tolist() == [
        int(picture[0, channel, 2 + row, 4 + column])
        for channel in range(3)
        for row in range(2)
        for column in range(2)
    ]
    assert torch.equal(unpacked(small, 2), picture)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def test_two_processes_train_on_the_mean_of_their_gradients(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, alone = tmp_path / "model", tmp_path / "alone"
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    ranks = [
        killed.start(arguments(source, out, steps=4), None, RANK=rank, LOCAL_RANK=rank, **common)
        for rank in "01"
    ]
    with killed.ended(*ranks):
        assert [killed.exit_code(rank) for rank in ranks] == [0, 0]
    assert read_facts(out).training["processes"] == 2

    # One process that accumulates over two batches, the second of them the other process's.
    def stream(seed: int, index: int, purpose: str) -> Stream:
        return Stream(seed, index, {"train/0/1": "train/1/0"}.get(purpose, purpose))

    monkeypatch.setattr(trainer_module, "Stream", stream)
    assert killed.exit_code(killed.start(arguments(source, alone, "--set", "accumulate=2", steps=4))) == 0
    one, other = last_state(out)["network"], last_state(alone)["network"]
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-4, atol=1e-5)
    logs = [[float(each) for each in re.findall(r",([\d.e-]+),", log(model))] for model in (out, alone)]
    assert logs[0] == pytest.approx(logs[1], rel=1e-4)
