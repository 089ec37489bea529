"""One cell: an entrant fitted with one seed, and all that is asked of it; a small JSON file."""

import base64
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer

from synthgen.config.model import FrozenModel

Floats = npt.NDArray[np.float64]


def _unpacked(value: Any) -> Any:
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value), "<f8")
    return value


def _packed(values: Floats) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f8").tobytes()).decode()


Numbers = Annotated[Floats, BeforeValidator(_unpacked), PlainSerializer(_packed)]
"""Numbers of a cell, exact: in JSON the base64 of little-endian doubles."""


class PixelOutcome(FrozenModel):
    """A pixel outcome on the real test images."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    value: float
    replicates: Numbers
    """On the images of each resample, (R,)."""


class Judged(FrozenModel):
    """What was said of a recipe's samples of held-out normal images."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    scores: Numbers
    """Of the samples, (N,)."""
    pixel_ap: float | None
    """Of samples and held-out normal images together; None for a detector without maps."""


class Cell(FrozenModel):
    """What one fit came to."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    run: str
    """Hash of all that decides the numbers of its validation."""
    entrant: str
    learner: str
    seed: int
    held_out: Numbers
    """Scores of the held-out normal images."""
    real: Numbers
    """Scores of the real test images; empty without them."""
    real_pixels: dict[str, PixelOutcome] = Field({})
    judged: dict[str, Judged]
    """By the recipe that made the samples."""
    notes: list[str]
    """What the fit itself had to say."""
    seconds: float
    memory: int
    """Most bytes that its process held."""
