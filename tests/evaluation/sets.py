"""Hand-made data sets: a grey picture with a patch whose level is the score, and whose mask is its place."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from synthgen.detectors.base import Detector, DetectorSettings, Fitting, State
from synthgen.engines.run import open_run
from synthgen.pipeline.freeze import freeze
from synthgen.recipe.recipe import Recipe
from tests.shards.helpers import InlineEngine, write_normals

SIDE = 32
BACKGROUND = 40
PATCH = (slice(8, 16), slice(20, 28))


def picture(level: int, side: int = SIDE) -> npt.NDArray[np.uint8]:
    pixels = np.full((side, side, 3), BACKGROUND, np.uint8)
    pixels[PATCH] = level
    return pixels


def patch_mask(value: int = 255, side: int = SIDE) -> npt.NDArray[np.uint8]:
    mask = np.zeros((side, side), np.uint8)
    mask[PATCH] = value
    return mask


def save(path: Path, pixels: npt.NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def mvtec_category(folder: Path, normal: str = "good", ending: str = "_mask") -> Path:
    """Two images to fit on; normal test images of levels 60 and 100, anomalous ones of 80 and 120."""
    for number, level in enumerate((50, 55)):
        save(folder / "train" / normal / f"{number}.png", picture(level))
    for number, level in enumerate((60, 100)):
        save(folder / "test" / normal / f"{number}.png", picture(level))
    for number, level in enumerate((80, 120)):
        save(folder / "test" / "crack" / f"{number}.png", picture(level))
        save(folder / "ground_truth" / "crack" / f"{number}{ending}.png", patch_mask())
    return folder


IMAGE_AUROC = 3 / 4
"""Of the four pairs of an anomalous and a normal image, 80 against 100 is the wrong way round."""
PIXEL_AUROC = (1 + 1 - 64 / (4 * 1024 - 128)) / 2
"""Half of the anomalous pixels (80) lie below the 64 pixels of level 100 out of all normal ones."""


class Brightness(Detector):
    """Scores pixels by their red level of 0 … 255, and images by the largest; it has no backbone."""

    method = "brightness"
    settings_type = DetectorSettings

    def _fit(self, fitting: Fitting) -> State:
        seen = sum(len(batch) for batch in fitting.normals.batches(2))
        fitting.progress(seen, len(fitting.normals))
        return {"seen": torch.tensor([seen])}

    def _prepare(self, state: State) -> None:
        self.seen = state["seen"]

    def _score(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = 255 * images[:, 0]
        return maps.amax((1, 2)), maps


def make_shards(folder: Path, count: int, split: str, **fields: object) -> Path:
    """Samples of a source of ten images, three of them held out, a quarter left normal; fields override."""
    write_normals(folder / "waves", count=10)
    recipe = Recipe.model_validate(
        {
            "name": "waves",
            "seed": 5,
            "count": count,
            "source": {"kind": "folder", "path": str(folder / "waves"), "held_out": 0.3},
            "split": split,
            "size": "native",
            "normal_share": 0.25,
            "foreground": "all",
            "synthesizers": [{"method": "cutpaste"}, {"method": "smoothblend"}],
            "output": {"shard_size": 8},
        }
        | fields
    )
    for _ in open_run(freeze(recipe), str(folder / "shards")).make(InlineEngine()):
        pass
    return folder / "shards"
