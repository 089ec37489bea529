"""The weights that a training begins with, where they come from another model."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from diffusers import UNet2DModel

from synthgen.diffusion.model_files import model_directory, read_object
from synthgen.diffusion.network_files import CONFIG, read_network, read_network_config
from synthgen.errors import InputError

CLASS_EMBEDDING = "class_embedding.weight"

WEIGHTS = "diffusion_pytorch_model*.safetensors"

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_NO_PART_OF_THE_ARCHITECTURE = {"sample_size", "num_class_embeds", "dropout"}


@dataclass(frozen=True)
class FirstWeights:
    """A diffusers UNet2DModel on this machine, whose weights a training may begin with."""

    name: str
    """As the user gave it."""
    directory: Path
    """The folder of its config.json."""
    prediction: str | None
    """What it was trained to predict, where its scheduler lies beside it."""

    @property
    def digest(self) -> str:
        """The first digits of a sha256 over the weights' files."""
        total = sha256()
        for path in sorted(self.directory.glob(WEIGHTS)):
            with path.open("rb") as file:
                total.update(file_digest(file, "sha256").digest())
        return f"sha256 {total.hexdigest()[:16]}"

    def give_to(self, network: UNet2DModel, prediction: str) -> bool:
        """Set the network's weights; False where the class embedding keeps its own, for other classes.

        Raises InputError where the architecture is another one, or something else was predicted.
        """
        given = read_network(f"--init-from {self.name}", self.directory)
        found, expected = _architecture(given.config), _architecture(network.config)
        for field, value in expected.items():
            if found.get(field) != value:
                raise self._differs(
                    field, found.get(field), value, "a model of this architecture, or another --preset"
                )
        if self.prediction not in (None, prediction):
            raise self._differs(
                "prediction_type", self.prediction, prediction, f"--set prediction={self.prediction}"
            )
        weights, own = given.state_dict(), network.state_dict()
        shapes = [each[CLASS_EMBEDDING].shape if CLASS_EMBEDDING in each else None for each in (weights, own)]
        if shapes[0] != shapes[1]:
            weights.pop(CLASS_EMBEDDING, None)
        network.load_state_dict(own | weights)
        return shapes[1] in (None, shapes[0])

    def _differs(self, field: str, found: object, expected: object, advice: str) -> InputError:
        return InputError(
            f"--init-from {self.name}: {field} is {found} there, and {expected} here; give {advice}"
        )


def find_first_weights(name: str) -> FirstWeights:
    """The weights in a directory, of the ``builtin`` model, or of one on the hub, which is downloaded.

    Raises InputError where there is no UNet2DModel in safetensors, in the folder ``unet`` or at the root.
    """
    root = model_directory(name)
    if not root.is_dir():
        root = _downloaded(name)
    for folder in ("unet", ""):
        directory = root / folder
        if not (directory / CONFIG).is_file():
            continue
        read_network_config(f"--init-from {name}", directory)
        if not any(directory.glob(WEIGHTS)):
            raise InputError(
                f"--init-from {name}: has no {WEIGHTS} beside its config.json; only safetensors are read"
            )
        return FirstWeights(name, directory, _prediction(name, root))
    raise InputError(
        f"--init-from {name}: has no unet/config.json and no config.json; expected a diffusers model"
    )


def _downloaded(name: str) -> Path:
    if not _HUB_ID.fullmatch(name):
        raise InputError(
            f"--init-from {name}: no such directory; expected one, or a hub id such as google/ddpm-church-256"
        )
    from huggingface_hub import snapshot_download

    of_network = [
        f"{folder}{part}" for folder in ("", "unet/") for part in ("config.json", WEIGHTS, f"{WEIGHTS}.*")
    ]
    of_scheduler = ["scheduler_config.json", "scheduler/scheduler_config.json"]
    try:
        return Path(snapshot_download(name, allow_patterns=[*of_network, *of_scheduler]))
    except Exception as error:  # of the hub's client, of HTTP, or of the disk
        raise InputError(
            f"--init-from {name}: no such directory, and the hub gives no such model ({_line(error)})"
        ) from error


def _prediction(name: str, root: Path) -> str | None:
    for folder in ("scheduler", ""):
        path = root / folder / "scheduler_config.json"
        if path.is_file():
            return str(read_object(f"--init-from {name}", path).get("prediction_type", "epsilon"))
    return None


def _architecture(config: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the weights' shapes and meaning, but for the class embedding; lists are tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in config.items()
        if not name.startswith("_") and name not in _NO_PART_OF_THE_ARCHITECTURE
    }


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
