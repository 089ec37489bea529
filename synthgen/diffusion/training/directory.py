"""What the training of a model leaves on the disk: its identity, states to go on from, a log, pictures."""

from hashlib import sha256
from pathlib import Path

from synthgen.diffusion.model_files import FACTS, read_facts
from synthgen.diffusion.training.settings import TrainingSettings
from synthgen.diffusion.training.trainer import Trainer, Update
from synthgen.errors import InputError
from synthgen.images import png
from synthgen.images.own import marked
from synthgen.images.pixels import Pixels
from synthgen.storage.training_folder import TrainingFolder, replacing, require_writable

FOLDER = "training"


class Identity(TrainingSettings):
    """All that must be the same for a training to go on."""

    images: str
    """How many, and a hash over all of them."""
    first_weights: str
    """A hash over the files, or random."""
    processes: int
    """Each draws its own batches."""

    @classmethod
    def of(cls, trainer: Trainer) -> "Identity":
        """The identity of a training."""
        sha256s = trainer.images.sha256s
        digest = sha256("".join(sha256s).encode()).hexdigest()
        return cls(
            **trainer.settings.model_dump(),
            images=f"{len(sha256s)} images, sha256 {digest[:16]}",
            first_weights=trainer.first_weights.digest if trainer.first_weights else "random",
            processes=trainer.accelerator.num_processes,
        )


class TrainingDirectory(TrainingFolder):
    """The folder ``training`` inside of a model's directory. Every file in it is whole or not there."""

    def __init__(self, model: Path) -> None:
        super().__init__(model, model / FOLDER, Update._fields)
        self.model = model

    def require_usable(self) -> None:
        """Raises InputError where a training cannot be written, or something else is there."""
        require_writable(self.model, "the directory of the model")
        there = sorted(path.name for path in self.model.iterdir()) if self.model.is_dir() else []
        if there and FOLDER not in there:
            what = "a model without its training" if FACTS in there else f"no training, but {there[0]}"
            raise InputError(f"{self.model}: holds {what}; choose another --out, or an empty one")

    def show(self, updates: int, picture: Pixels) -> None:
        """Write a picture of how far the training has come, (H, W, C) uint8."""
        with replacing(self.path / f"samples-{updates:07d}.png") as file:
            file.write(marked(png.encode(picture)))

    def is_finished(self, updates: int) -> bool:
        """Whether the model beside the folder is that of the given number of updates."""
        return (self.model / FACTS).is_file() and read_facts(self.model).training.get("updates") == updates
