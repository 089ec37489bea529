"""What a file of pre-trained weights says of itself, in its metadata and in the JSON beside it."""

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from synthgen.errors import InputError, RunError
from synthgen.pretraining.settings import PretrainingSettings
from synthgen.storage.place import local_path
from synthgen.storage.training_folder import replacing

METADATA = "synthgen"
RECONSTRUCTION = (
    "SPD's equation is not public: the term is a reconstruction from the paper's words (Zou et al., ECCV "
    "2022)"
)


class Identity(PretrainingSettings):
    """All that must be the same for a pre-training to go on."""

    images: str
    """How many are trained on, and a hash over all of them."""
    recipe: str
    """The name of what made the copies, and a hash over all that decides them; none without a term."""
    first_weights: str
    """imagenet, random, or a hash of the file, whose name is in ``init``."""
    device: str
    """cpu or cuda."""


class PretrainingRecord(Identity):
    """What a pre-training was."""

    format: Literal[1] = 1
    pictures: int
    """How many pictures passed the network in all: an image, and each view of it, counts as one."""
    note: str = ""
    """What a person should know of the method."""
    versions: dict[str, str]

    @property
    def summary(self) -> str:
        """One phrase for reports."""
        term = "" if self.spd == "none" else f" + SPD ({self.spd})"
        return f"{self.base}{term}, {self.steps} updates from {self.init}, seed {self.seed}"


def write_weights(path: Path, weights: bytes) -> None:
    """Write the weights, a safetensors file; what belongs to them is there already."""
    with replacing(path) as file:
        file.write(weights)


def write_record(path: Path, record: PretrainingRecord) -> None:
    """Write the record beside a file of weights, where it is not there as it should be."""
    text = (record.model_dump_json(indent=1) + "\n").encode()
    place = record_path(path)
    if not place.is_file() or place.read_bytes() != text:
        with replacing(place) as file:
            file.write(text)


def record_path(path: Path) -> Path:
    """The JSON beside a file of weights."""
    return path.with_suffix(".json")


def weights_named(weights: str) -> str:
    """What weights are called in reports: imagenet, random, or a file's name and how it was pre-trained."""
    path = local_path(weights)
    record = read_record(path) if path.is_file() else None
    return f"{path.name} ({record.summary})" if record else path.name


def is_record(path: Path) -> bool:
    """Whether a JSON file is the record of some weights, or what was left of one."""
    text = path.read_bytes()
    return not text or b'"first_weights"' in text


def read_record(path: Path) -> PretrainingRecord | None:
    """What a file of weights says of its pre-training; None where it says nothing.

    Raises InputError for a file that cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    if path.suffix != ".safetensors":
        return None
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(METADATA)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable safetensors file ({error})") from error
    if text is None:
        return None
    try:
        return PretrainingRecord.model_validate_json(text)
    except (ValidationError, InputError, RunError):
        return None
