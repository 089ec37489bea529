"""What a pre-training leaves beside its weights: states to go on from, the log of its losses, its picture."""

from hashlib import file_digest
from pathlib import Path

from synthgen.errors import InputError
from synthgen.pretraining.images import PretrainingImages
from synthgen.pretraining.loss_curves import loss_curves
from synthgen.pretraining.record import Identity
from synthgen.pretraining.settings import PretrainingSettings
from synthgen.pretraining.trainer import Update
from synthgen.storage.place import is_url, local_path
from synthgen.storage.training_folder import TrainingFolder, replacing, require_writable

SUFFIX = ".safetensors"
PICTURE = "loss.png"


class PretrainingFolder(TrainingFolder):
    """The folder ``WEIGHTS.training`` beside ``WEIGHTS.safetensors``."""

    def __init__(self, weights: Path) -> None:
        super().__init__(weights, weights.with_suffix(".training"), Update._fields)

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
    recipe = f"{images.plan.recipe.name}, fingerprint {images.plan.fingerprint[:16]}"
    return Identity(
        **settings.model_dump(),
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
    return path


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
