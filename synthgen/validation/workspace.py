"""Images, masks and features on the disk, so that every process reads them and none makes them twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from synthgen.detectors.common.features import FeatureExtractor, Features
from synthgen.evaluation.test_set import to_tensor
from synthgen.images.pixels import Pixels
from synthgen.storage.output import explained
from synthgen.storage.whole_file import writing_whole

BATCH = 16
"""Images whose features are extracted, or read, together."""

STAGES = (1, 2, 3)


@dataclass(frozen=True)
class Workspace:
    """Arrays by name in one folder; each appears whole or not at all."""

    folder: Path

    def has(self, name: str) -> bool:
        """Whether an array is there."""
        return self._path(name).exists()

    def write(self, name: str, array: npt.NDArray[Any]) -> None:
        """Write an array. Raises RunError where the disk does not take it."""
        with explained(str(self.folder)), writing_whole(self._path(name)) as file:
            np.save(file, array)

    def read(self, name: str) -> npt.NDArray[Any]:
        """An array, read from the disk where it is looked at."""
        return np.load(self._path(name), mmap_mode="r")

    def images(self, name: str) -> Pixels:
        """The images (N, H, W, 3) that were written as ``NAME.images``."""
        return self.read(f"{name}.images")

    def write_features(self, name: str, extract: FeatureExtractor) -> None:
        """Extract the features of the images of a name, in half precision."""
        images = self.images(name)
        parts: dict[int, list[npt.NDArray[np.float16]]] = {stage: [] for stage in STAGES}
        with torch.inference_mode():
            for first in range(0, len(images), BATCH):
                found = extract(to_tensor(list(images[first : first + BATCH])))
                for stage in STAGES:
                    parts[stage].append(found[stage].half().contiguous().cpu().numpy())
        for stage in STAGES:
            self.write(f"{name}.stage{stage}", np.concatenate(parts[stage]))

    def features(self, name: str) -> Iterator[Features]:
        """The features of the images of a name, in batches, float32."""
        stages = {stage: self.read(f"{name}.stage{stage}") for stage in STAGES}
        for first in range(0, len(stages[STAGES[0]]), BATCH):
            yield {
                stage: torch.from_numpy(np.array(values[first : first + BATCH])).float()
                for stage, values in stages.items()
            }

    def _path(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.npy"
