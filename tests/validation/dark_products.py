"""Grey products of known levels, and a detector that looks for darkness: what is found can be reckoned."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from synthgen.detectors.base import Detector, DetectorSettings, Fitting, State
from synthgen.recipe.recipe import Recipe

SIDE = 64


class DarknessSettings(DetectorSettings):
    """Small images."""

    image_size: int = SIDE


class Darkness(Detector):
    """Scores an image by its darkest pixel, 255 for black; it needs no fitting and has no backbone."""

    method = "darkness"
    settings_type = DarknessSettings

    def _fit(self, fitting: Fitting) -> State:
        return {"seen": torch.tensor([sum(len(batch) for batch in fitting.normals.batches(2))])}

    def _prepare(self, state: State) -> None:
        self.seen = state["seen"]

    def _score(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = 255 - 255 * images.amin(1)
        return maps.amax((1, 2)), maps


class Learner(Darkness):
    """One that learns from anomalies."""

    method = "learner"
    learns_from_anomalies = True  # type: ignore[assignment]


def write_products(folder: Path, count: int = 32, least: int = 100, step: int = 3) -> Path:
    """Pictures of the levels least, least + step, …: the darkest pixel of each."""
    folder.mkdir(parents=True)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for number in range(count):
        pixels = least + step * number + rows % 3 + columns % 5
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:02d}.png")
    return folder


def held_out_levels(folder: Path, count: int) -> list[int]:
    """The levels of the ``count`` pictures with the smallest hashes."""
    files = sorted(folder.iterdir(), key=lambda file: sha256(file.read_bytes()).hexdigest())
    return [int(np.asarray(Image.open(file)).min()) for file in files[:count]]


def black_boxes(source: Path, **fields: Any) -> Recipe:
    """Black rectangles on the products, of full opacity; fields override."""
    recipe = {
        "name": "boxes",
        "seed": 4,
        "count": 6,
        "source": {"kind": "folder", "path": str(source)},
        "size": [SIDE, SIDE],
        "foreground": "all",
        "synthesizers": [{"method": "cutout", "fill": "black"}],
    }
    return Recipe.model_validate(recipe | fields)
