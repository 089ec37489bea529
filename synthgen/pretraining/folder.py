"""What a pre-training leaves beside its weights: states to go on from, the log of its losses, its picture."""

import json
import os
from hashlib import file_digest, sha256
from pathlib import Path

from synthgen.errors import InputError
from synthgen.plan.plan import Plan
from synthgen.pretraining.images import PretrainingImages
from synthgen.pretraining.loss_curves import loss_curves
from synthgen.pretraining.record import Identity, is_record, record_path
from synthgen.pretraining.settings import PretrainingSettings
from synthgen.pretraining.trainer import Update
from synthgen.storage.lock import NAME as LOCK
from synthgen.storage.place import is_url, local_path
from synthgen.storage.training_folder import LOG, TrainingFolder, replacing, require_writable
from synthgen.storage.whole_file import PARTIAL_SUFFIX

SUFFIX = ".safetensors"
PICTURE = "loss.png"
MOST_NAME_BYTES = 160
"""Most file systems take 255, and files that are being written have longer names."""


class PretrainingFolder(TrainingFolder):
    """The folder ``WEIGHTS.training`` beside ``WEIGHTS.safetensors``."""

    def __init__(self, weights: Path) -> None:
        super().__init__(weights, weights.with_suffix(".training"), Update._fields)

    def require_usable(self) -> None:
        """Raises InputError where something else is in the way of what will be written."""
        record = record_path(self.result)
        if record.exists() and not (record.is_file() and is_record(record)):
            raise InputError(
                f"{record}: is no record of weights, and would be overwritten; choose another --out"
            )
        if self.path.exists() and not self.path.is_dir():
            raise InputError(
                f"{self.path}: is a file, where the training is to be kept; choose another --out"
            )
        others = [path.name for path in sorted(self.path.glob("*")) if not self._is_ours(path)]
        if others:
            raise InputError(f"{self.path}: holds {others[0]}, which is of no training; choose another --out")

    def _is_ours(self, path: Path) -> bool:
        if path.is_dir():
            return False
        if path.name == LOCK or path.name.endswith(PARTIAL_SUFFIX):
            return True
        if path.name == "settings.json":
            return b'"first_weights"' in path.read_bytes()
        is_of_training = (self.path / "settings.json").exists()
        return is_of_training and (path.name in (LOG, PICTURE) or path.suffix == ".pt")

    def draw(self) -> None:
        """Draw the log of the losses so far."""
        if rows := self.logged():
            with replacing(self.path / PICTURE) as file:
                file.write(loss_curves(rows))

    def forget_states(self) -> None:
        """Remove the states, of which a finished training has no need."""
        for updates in self.states():
            self._state(updates).unlink()


def identity_of(images: PretrainingImages, settings: PretrainingSettings, device: str) -> Identity:
    """The identity of a pre-training."""
    recipe = f"{images.plan.recipe.name}, sha256 {_copies_sha256(images.plan)[:16]}"
    return Identity(
        **(settings.model_dump() | {"init": local_path(settings.init).name}),
        images=f"{images.count} images, sha256 {images.digest[:16]}",
        recipe="none" if settings.spd == "none" else recipe,
        first_weights=_hash_of(settings.init),
        device=device,
    )


def weights_path(out: str) -> Path:
    """Where the weights go. Raises InputError where they cannot be written there."""
    if is_url(out):
        raise InputError(f"{out}: is a URL; weights are trained into a file of this machine")
    path = local_path(out)
    if path.suffix != SUFFIX:
        raise InputError(f"{out}: --out is the file of the weights; its name ends in {SUFFIX}")
    if path.is_dir():
        raise InputError(f"{out}: is a directory; --out is the file of the weights")
    require_writable(path.parent, "a file, in a directory")
    if len(os.fsencode(path.name)) > MOST_NAME_BYTES:
        raise InputError(f"{out}: its name is too long; {MOST_NAME_BYTES} bytes are the most")
    return path


def _copies_sha256(plan: Plan) -> str:
    """A hash over all that decides the copies of given images, wherever those lie."""
    elsewhere = {"source", "count", "output"}
    pinned = plan.model_dump(mode="json", include={"textures", "models", "banks", "preparation"})
    whole = {"recipe": plan.recipe.model_dump(mode="json", exclude=elsewhere), **pinned}
    return sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _hash_of(init: str) -> str:
    if init in ("imagenet", "random"):
        return init
    path = local_path(init)
    if not path.is_file():
        raise InputError(
            f"--init {init}: there is no such file; give imagenet, random, or a .safetensors or .pth file"
        )
    with path.open("rb") as file:
        return f"sha256 {file_digest(file, 'sha256').hexdigest()[:16]}"
