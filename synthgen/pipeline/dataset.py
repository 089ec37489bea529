"""The samples of a plan as a map-style torch dataset."""

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.runtime.processes import give_sockets_room


class AnomalyDataset(Dataset[dict[str, Any]]):
    """The same samples as in the plan's shards, made when they are asked for; safe in DataLoader workers.

    An item is a dict of ``image`` and ``normal`` (C, H, W) uint8, ``mask`` (1, H, W) uint8 with 0 and 1,
    ``label`` int64, and ``key``, ``method`` (str), ``strength`` (float).
    """

    def __init__(self, plan: Plan) -> None:
        give_sockets_room()  # through which workers hand over tensors
        self.plan = plan
        self._pipeline: Pipeline | None = None

    def __len__(self) -> int:
        return self.plan.recipe.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Make one sample. Raises IndexError outside of the plan's count."""
        if not 0 <= index < len(self):
            raise IndexError(f"the plan has {len(self)} samples, and {index} was asked for")
        # Every worker process has a pipeline, and so a cache, of its own.
        self._pipeline = self._pipeline or Pipeline(self.plan)
        sample = self._pipeline.sample(index)
        return {
            "image": _channels_first(sample.image),
            "normal": _channels_first(sample.normal),
            "mask": torch.from_numpy((sample.mask > 0).astype(np.uint8))[None],
            "label": torch.tensor(sample.facts.label),
            "key": sample.facts.key,
            "method": sample.facts.method,
            "strength": sample.facts.strength,
        }

    def __getstate__(self) -> dict[str, Any]:
        return {"plan": self.plan}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.plan = state["plan"]
        self._pipeline = None


def _channels_first(image: np.ndarray[Any, np.dtype[np.uint8]]) -> torch.Tensor:
    # A copy: the normal image is shared with other samples.
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)).copy())
