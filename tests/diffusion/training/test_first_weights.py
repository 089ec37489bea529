"""Trainings that begin with the weights of another model."""

import json
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from diffusers import DDPMPipeline, UNet2DModel

from synthgen.diffusion.model_files import model_directory
from synthgen.diffusion.training.directory import Identity
from synthgen.diffusion.training.first_weights import find_first_weights
from synthgen.diffusion.training.network import new_network, new_scheduler
from synthgen.diffusion.training.settings import TrainingSettings
from synthgen.diffusion.training.trainer import Trainer
from synthgen.errors import InputError
from tests.diffusion.training.trainings import accelerator, images

pytestmark = pytest.mark.usefixtures("small_presets")

OTHERS = TrainingSettings(size=16, seed=1)


def model(directory: Path, categories: int = 1, settings: TrainingSettings = OTHERS) -> Path:
    """A diffusers pipeline of another seed."""
    unet = new_network(settings, 3, categories)
    DDPMPipeline(unet, new_scheduler(settings)).save_pretrained(directory)
    return directory


def weights_of(directory: Path) -> dict[str, torch.Tensor]:
    return dict(UNet2DModel.from_pretrained(directory, subfolder="unet").state_dict())


def begun(name: Path | str, categories: int = 1, **settings: Any) -> Trainer:
    of = images(*[8] * categories)
    with accelerator() as cpu:
        chosen = TrainingSettings.model_validate({"size": 16, **settings})
        return Trainer(of, chosen, cpu, find_first_weights(str(name)))


def assert_equal(
    one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], but: tuple[str, ...] = ()
) -> None:
    assert one.keys() - set(but) == other.keys() - set(but)
    for name in one.keys() - set(but):
        assert torch.equal(one[name], other[name]), name


def refused(name: Path | str, pattern: str, categories: int = 1, **settings: Any) -> None:
    with pytest.raises(InputError, match=pattern) as error:
        begun(name, categories, **settings)
    assert str(error.value).startswith(f"--init-from {name}: ")
    assert "\n" not in str(error.value)


def test_the_weights_and_their_average_begin_as_given(tmp_path: Path) -> None:
    directory = model(tmp_path / "model")
    trainer = begun(directory)
    assert_equal(trainer.unet.state_dict(), weights_of(directory))
    assert_equal(dict(trainer.average.weights), weights_of(directory))
    assert trainer.keeps_classes
    random = new_network(TrainingSettings(size=16), 3, 1).state_dict()
    assert not torch.equal(random["conv_in.weight"], trainer.unet.state_dict()["conv_in.weight"])


def test_a_network_at_the_root_serves_as_well(tmp_path: Path) -> None:
    directory = model(tmp_path / "model")
    assert_equal(begun(directory / "unet").unet.state_dict(), weights_of(directory))


def test_the_model_that_is_installed_serves_by_its_name() -> None:
    installed = find_first_weights("builtin")
    assert installed.directory == model_directory("builtin") / "unet"
    assert installed.prediction == "v_prediction"


def test_a_network_of_another_size_serves_as_well(tmp_path: Path) -> None:
    directory = model(tmp_path / "model")
    trainer = begun(directory, size=32)
    assert_equal(trainer.unet.state_dict(), weights_of(directory))
    assert trainer.unet.config.sample_size == 32


@pytest.mark.parametrize(("before", "now"), [(1, 3), (3, 2), (2, 1)])
def test_other_classes_begin_their_embedding_anew(tmp_path: Path, before: int, now: int) -> None:
    directory = model(tmp_path / "model", before)
    trainer = begun(directory, now)
    assert_equal(trainer.unet.state_dict(), weights_of(directory), but=("class_embedding.weight",))
    assert trainer.keeps_classes == (now == 1)
    if now > 1:
        own = new_network(trainer.settings, 3, now).state_dict()["class_embedding.weight"]
        assert torch.equal(trainer.unet.state_dict()["class_embedding.weight"], own)


def test_as_many_classes_keep_their_embedding(tmp_path: Path) -> None:
    directory = model(tmp_path / "model", 2)
    trainer = begun(directory, 2)
    assert trainer.keeps_classes
    assert_equal(trainer.unet.state_dict(), weights_of(directory))


def test_they_are_part_of_the_trainings_identity(tmp_path: Path) -> None:
    one, other = (
        model(tmp_path / "one"),
        model(tmp_path / "other", settings=OTHERS.model_copy(update={"seed": 2})),
    )
    moved = shutil.copytree(one, tmp_path / "moved")
    first, second, third = (find_first_weights(str(name)).digest for name in (one, other, moved))
    assert first.startswith("sha256 ")
    assert first == third != second
    with accelerator() as cpu:
        trainer = Trainer(images(8), TrainingSettings(size=16), cpu, find_first_weights(str(one)))
        assert Identity.of(trainer).first_weights == first
        assert Identity.of(Trainer(images(8), TrainingSettings(size=16), cpu)).first_weights == "random"


def test_another_architecture_names_the_field(tmp_path: Path) -> None:
    directory = model(tmp_path / "model")
    refused(directory, "in_channels is 3 there, and 12 here; give .* another --preset", preset="small")
    refused(directory, "out_channels is 3 there, and 6 here", variance="learned")
    config = directory / "unet" / "config.json"
    config.write_text(config.read_text().replace('"layers_per_block": 1', '"layers_per_block": 2'))
    refused(directory, "cannot be loaded|not those of its config|layers_per_block is 2 there, and 1 here")


def test_another_prediction_says_what_to_set(tmp_path: Path) -> None:
    directory = model(tmp_path / "model", settings=OTHERS.model_copy(update={"prediction": "epsilon"}))
    refused(
        directory, "prediction_type is epsilon there, and v_prediction here; give --set prediction=epsilon"
    )
    assert begun(directory, prediction="epsilon").keeps_classes
    shutil.rmtree(directory / "scheduler")
    assert begun(directory).keeps_classes  # nobody knows


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    refused(tmp_path / "none", "no such directory; expected one, or a hub id")
    refused(tmp_path, "has no unet/config.json and no config.json")
    directory = model(tmp_path / "model")
    weights = directory / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    refused(directory, "the weights cannot be loaded")
    weights.unlink()
    refused(directory, "only safetensors are read")
    config = directory / "unet" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "_class_name": "UNet2DConditionModel"}))
    refused(directory, "its config.json is of a UNet2DConditionModel; expected a UNet2DModel")
    config.write_text("[]")
    refused(directory, "config.json holds no object")
    config.write_text("{")
    refused(directory, "config.json is not JSON")


def test_a_hub_id_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = model(tmp_path / "model")
    asked: list[tuple[str, list[str]]] = []

    def download(name: str, allow_patterns: list[str]) -> str:
        asked.append((name, allow_patterns))
        return str(directory)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert_equal(begun("some-one/some-model").unet.state_dict(), weights_of(directory))
    [(name, patterns)] = asked
    assert name == "some-one/some-model"
    assert "unet/diffusion_pytorch_model*.safetensors" in patterns
    assert "scheduler/scheduler_config.json" in patterns


def test_what_the_hub_does_not_give_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*_: object, **__: object) -> str:
        raise OSError("we could not connect\nto the hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    refused(
        "some-one/some-model", r"no such directory, and the hub gives no such model \(we could not connect to"
    )
