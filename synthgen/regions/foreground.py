"""Foreground: which pixels of a normal image are the product. (Interface; the rule's engine is being built.)"""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from synthgen.scene import Pixels, SceneKind


class ForegroundRule(BaseModel):
    """A rule that finds the product in any image of one category; plain data, stored in the plan and facts."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: SceneKind
    reason: str = ""


ForegroundChoice = Literal["auto", "all"]


def decide(images: Sequence[Pixels]) -> ForegroundRule:
    """Choose a rule for one category from a few of its own prepared images."""
    return ForegroundRule(kind="texture")


def apply(rule: ForegroundRule, image: Pixels) -> Pixels:
    """The foreground (H, W) uint8, 0 or 255, of an (H, W, C) uint8 image."""
    import numpy as np

    return np.full(image.shape[:2], 255, np.uint8)
