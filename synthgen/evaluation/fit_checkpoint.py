"""The checkpoint of a fit in the detector's directory: for the same fit alone, and gone when that is done."""

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.errors import InputError, RunError
from synthgen.runtime.versions import versions
from synthgen.storage.whole_file import write_whole

if TYPE_CHECKING:
    from torch import Tensor

    from synthgen.detectors.base import Detector
    from synthgen.evaluation.test_set import NormalPictures
    from synthgen.recipe.recipe import Recipe

CHECKPOINT = "checkpoint.safetensors"


class FitCheckpoint:
    """How far a fit has come, in a file that says which fit it is of."""

    def __init__(self, directory: Path, fit: str) -> None:
        self._path, self._fit = directory / CHECKPOINT, fit

    def load(self) -> "dict[str, Tensor] | None":
        """The last state. Raises InputError where it is of another fit, or cannot be read."""
        from safetensors import SafetensorError, safe_open

        if not self._path.exists():
            return None
        try:
            with safe_open(self._path, "pt") as file:
                fit = (file.metadata() or {}).get("fit")
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise InputError(f"{self._path}: cannot be read ({error}); remove it to begin anew") from error
        if fit != self._fit:
            raise InputError(
                f"{self._path}: is of a fit with other settings, images, seed or versions; choose another "
                "--out, or remove it to begin anew"
            )
        return state

    def save(self, state: "dict[str, Tensor]") -> None:
        """Write a state in place of the last one. Raises RunError where that fails."""
        from safetensors.torch import save

        try:
            write_whole(self._path, save(state, {"fit": self._fit}))
        except OSError as error:
            raise RunError(
                f"{self._path}: cannot be written ({error.strerror}); make room, and run the same command "
                "again"
            ) from error

    def remove(self) -> None:
        """Remove the file, if there is one."""
        self._path.unlink(missing_ok=True)


def fit_of(
    detector: "Detector", normals: "NormalPictures", recipe: "Recipe | None", seed: int, category: str
) -> str:
    """The hash of everything that decides what is learned."""
    backbone = sha256()
    if detector.backbone:
        backbone.update(detector.backbone.name.encode())
        for name, tensor in sorted(detector.backbone.state_dict().items()):
            backbone.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    whole = {
        "method": detector.method,
        "settings": detector.settings.model_dump(mode="json"),
        "backbone": backbone.hexdigest(),
        "device": detector.device.type,
        "images": list(normals.sha256s),
        "recipe": recipe.model_dump(mode="json") if recipe else None,
        "seed": seed,
        "category": category,
        "versions": versions(),
    }
    return sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
