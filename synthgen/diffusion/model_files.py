"""A model's directory: a diffusers pipeline, and beside it what synthgen has to know of the model."""

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError

from synthgen.config.model import FrozenModel
from synthgen.config.validation import first_fault
from synthgen.errors import InputError, RunError
from synthgen.storage.place import local_path

if TYPE_CHECKING:
    from diffusers import DDPMScheduler, UNet2DModel

FACTS = "synthgen.json"
UNET_CONFIG = "unet/config.json"
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
SCHEDULER_CONFIG = "scheduler/scheduler_config.json"
PARTS = (FACTS, UNET_CONFIG, WEIGHTS, SCHEDULER_CONFIG)
"""What decides what a model makes."""
PIPELINE = "model_index.json"
CARD = "README.md"


class ModelFacts(FrozenModel):
    """What a recipe has to know of a model before it is loaded."""

    format_version: Literal[1] = 1
    size: Annotated[int, Field(ge=16, le=1024)]
    """Side of the square images it makes, pixels."""
    channels: Literal[1, 3]
    packing: Annotated[int, Field(ge=1, le=16)] = 1
    """Side of the squares of pixels that are packed into channels before the network."""
    view: Literal["image", "patch"]
    """Whether it was trained on whole images, resized, or on patches at their own scale."""
    image_size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
    """Height and width of the images it was trained on, or that its patches were cut from."""
    categories: Annotated[list[str], Field(min_length=1)]
    """Their positions are the class labels, where there are several; the label after the last means none."""
    trained_on: int
    """How many images it was trained on."""
    training: dict[str, Any]
    """The settings of the training."""

    @property
    def conditional(self) -> bool:
        """Whether the network takes class labels."""
        return len(self.categories) > 1


class PinnedModel(FrozenModel):
    """A model that samples depend on: the hash of its files, and its facts."""

    sha256: str
    facts: ModelFacts

    @property
    def side(self) -> int:
        """Side of the square images that the model makes, pixels."""
        return self.facts.size


def model_directory(name: str) -> Path:
    """Where a model lies that a recipe names: ``builtin`` is installed with the package."""
    return Path(__file__).parent / "builtin" if name == "builtin" else local_path(name)


def is_model(directory: Path) -> bool:
    """Whether a directory holds a whole model."""
    return all((directory / name).is_file() for name in PARTS)


def pin(name: str) -> PinnedModel:
    """The hash and the facts of a model. Raises InputError where there is none that is whole."""
    directory = model_directory(name)
    facts = read_facts(directory)
    return PinnedModel(sha256=digest(directory), facts=facts)


def read_facts(directory: Path) -> ModelFacts:
    """The facts of a model. Raises InputError where the directory holds none that is whole."""
    if not directory.is_dir():
        raise InputError(f"model {directory}: no such directory; train one with `synthgen sdas train`")
    missing = [name for name in PARTS if not (directory / name).is_file()]
    if missing:
        raise InputError(
            f"model {directory}: has no {missing[0]}; expected what `synthgen sdas train` finished"
        )
    try:
        return ModelFacts.model_validate_json((directory / FACTS).read_bytes())
    except ValidationError as error:
        raise InputError(
            f"model {directory}: {FACTS} is not of this version ({first_fault(error)}); train it again"
        ) from error


def digest(directory: Path) -> str:
    """sha256 over all that decides what the model makes."""
    total = sha256()
    for name in PARTS:
        total.update(sha256((directory / name).read_bytes()).digest())
    return total.hexdigest()


def write_model(
    directory: Path, unet: "UNet2DModel", scheduler: "DDPMScheduler", facts: ModelFacts, card: str
) -> None:
    """Write a model so that, whenever it is interrupted, the directory is either whole or seen not to be.

    A packed network is no DDPMPipeline, which knows no packing, and so gets no index of one. Raises RunError
    where the disk is full.
    """
    from diffusers import DDPMPipeline
    from safetensors import SafetensorError

    temporary = directory / ".writing"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        DDPMPipeline(unet, scheduler).save_pretrained(temporary)
        (temporary / CARD).write_text(card)
        (temporary / FACTS).write_text(json.dumps(facts.model_dump(mode="json"), indent=1) + "\n")
        if facts.packing > 1:
            (temporary / PIPELINE).unlink()
        _move(temporary, directory)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RunError(
            f"model {directory}: cannot be written ({reason}); make room and run the same command again, "
            "which goes on from the last state"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _move(temporary: Path, directory: Path) -> None:
    """Put a written model into its place; while the facts are missing, the directory is no model."""
    (directory / FACTS).unlink(missing_ok=True)
    (directory / PIPELINE).unlink(missing_ok=True)
    for part in ("unet", "scheduler"):
        shutil.rmtree(directory / part, ignore_errors=True)
    last = temporary / FACTS
    for path in (*(path for path in temporary.iterdir() if path != last), last):
        path.rename(directory / path.name)


def scheduler_config(directory: Path) -> dict[str, Any]:
    """The configuration of the model's scheduler. Raises InputError where it is none."""
    config = read_object(f"model {directory}", directory / SCHEDULER_CONFIG)
    if "_class_name" not in config:
        raise InputError(f"model {directory}: {SCHEDULER_CONFIG} is of no scheduler; it has no _class_name")
    return config


def read_object(what: str, path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises InputError where it holds none."""
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what}: {path.name} is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise InputError(f"{what}: {path.name} holds no object")
    return found
