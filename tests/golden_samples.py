"""The first samples of every recipe that runs as it is shipped, as pinned in `tests/golden`.

python -m tests.golden_samples      # writes them anew, after a change that is meant to alter them
"""

import json
import platform
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from synthgen.images.pixels import Pixels
from synthgen.pipeline.freeze import freeze
from synthgen.pipeline.pipeline import Pipeline
from synthgen.recipe.files import load_recipe, shipped_names
from synthgen.sample import Sample

FOLDER = Path(__file__).resolve().parent / "golden"
SAMPLES = 4
RECIPES = [name for name in shipped_names() if "/" not in name]
"""Those in folders need a data set and a model of it."""
UNPINNED = {"fingerprint"}
"""It changes with every new field of a recipe, and would hide what else did."""


def processor() -> str:
    """The kind of processor: its instruction sets decide the last bits of resampling and colours."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return f"{platform.machine()}{' avx2' * ('avx2' in flags)}{' avx512' * ('avx512f' in flags)}"


def first_samples(recipe: str) -> list[Sample]:
    """The first samples at 64 x 64; half as many at full size where a model was trained for that."""
    whole = load_recipe(recipe)
    if any(synthesizer.models() for synthesizer in whole.synthesizers):
        return list(Pipeline(freeze(whole)).samples(range(SAMPLES // 2)))
    return list(Pipeline(freeze(load_recipe(recipe, ["size=[64, 64]"]))).samples(range(SAMPLES)))


def picture(samples: list[Sample]) -> Pixels:
    """Images above masks, side by side: (2 H, W n, 3)."""
    images = np.hstack([np.broadcast_to(sample.image, (*sample.mask.shape, 3)) for sample in samples])
    masks = np.hstack([sample.mask for sample in samples])
    return np.vstack([images, np.repeat(masks[..., None], 3, axis=2)])


def facts(samples: list[Sample]) -> list[dict[str, Any]]:
    """The facts as plain JSON values, the record parsed."""
    records = [sample.facts.model_dump(mode="json", exclude=UNPINNED) for sample in samples]
    return [record | {"params": json.loads(record["params"])} for record in records]


def main() -> None:
    """Write all golden files."""
    for recipe in RECIPES:
        samples = first_samples(recipe)
        cv2.imwrite(str(FOLDER / f"{recipe}.png"), picture(samples)[..., ::-1])
        (FOLDER / f"{recipe}.json").write_text(json.dumps(facts(samples), indent=1) + "\n")
    (FOLDER / "processor.txt").write_text(processor() + "\n")


if __name__ == "__main__":
    main()
