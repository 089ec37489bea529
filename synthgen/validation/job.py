"""What a validation's tasks are, and what all of them need to know."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from synthgen.evaluation.metrics.clusters import cluster_times
from synthgen.recipe.recipe import Recipe
from synthgen.streams import Stream
from synthgen.validation.entrants import Entrant, Network
from synthgen.validation.product import Normals
from synthgen.validation.protocol import Budget
from synthgen.validation.workspace import Workspace

LEARNING, HELD_OUT, REAL = "learning", "held-out", "real"
"""Names of image sets in the workspace; recipes have theirs with a ``set.`` in front."""


@dataclass(frozen=True)
class Job:
    """All that every task of a validation needs to know."""

    run: str
    """Its hash."""
    out: Path
    category: str
    side: int
    budget: Budget
    network: Network
    recipes: dict[str, Recipe]
    """By name, the control's among them."""
    learning: tuple[tuple[str, ...], tuple[str, ...]]
    """sha256s and parts of the normal images to learn from."""
    held_out: tuple[tuple[str, ...], tuple[str, ...]]
    """The same of those that are held out."""
    real_anomalous: tuple[bool, ...] = ()
    real_parts: tuple[str, ...] = ()

    @property
    def workspace(self) -> Workspace:
        """Where images and features lie."""
        return Workspace(self.out / "work")

    @property
    def judged(self) -> list[str]:
        """The recipes whose samples are judged."""
        return list(self.recipes)

    def cell_file(self, entrant: Entrant, seed: int) -> Path:
        """Where a cell is kept."""
        return self.out / "cells" / f"{entrant.key}.{seed}.json"


@dataclass(frozen=True)
class FeaturesTask:
    """Extract the features of images that are there."""

    job: Job
    name: str


@dataclass(frozen=True)
class SetTask:
    """Make a recipe's samples to judge by, look for faults, and extract features."""

    job: Job
    recipe: str


@dataclass(frozen=True)
class CellTask:
    """Fit an entrant with a seed, and ask it everything."""

    job: Job
    entrant: Entrant
    seed: int


Task = FeaturesTask | SetTask | CellTask


def set_name(recipe: str) -> str:
    """The name of a recipe's samples in the workspace."""
    return f"set.{recipe}"


def normals_of(job: Job, side: Literal["learning", "held-out"]) -> Normals:
    """The normal images of one side of the split."""
    sha256s, parts = job.learning if side == LEARNING else job.held_out
    return Normals(job.workspace.images(side), sha256s, parts)


def real_times(job: Job) -> npt.NDArray[np.int64]:
    """How often each real test image is taken in each resample: the same for all cells."""
    return cluster_times(job.real_parts, np.array(job.real_anomalous), Stream(0, 0, "validation/real"))
