"""The samples with anomalies that a detector learns from: those of a recipe, made of its own images."""

from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.errors import InputError
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.progress import Stages

if TYPE_CHECKING:
    from synthgen.detectors.base import Detector
    from synthgen.evaluation.test_set import NormalPictures
    from synthgen.pipeline.anomaly_source import PlanAnomalies

PRODUCT = "product"
"""What is fitted on where nobody says its name."""
MOST_IMAGES = 1024
"""Normal images that samples are made of, which are kept in memory; more of them are taken evenly."""


def recipe_of(detector: "Detector", named: str | Path | Recipe | None) -> Recipe | None:
    """The recipe that a detector learns from: the one that is named, else its own default.

    None for one that learns from normal images alone. Raises InputError where a recipe is named for such a
    one, and for a recipe that cannot be read.
    """
    from synthgen.recipe.files import load_recipe

    if not detector.learns_from_anomalies:
        if named is not None:
            raise InputError(
                f"{detector.method} learns from normal images alone with these settings; leave the recipe out"
            )
        return None
    if isinstance(named, Recipe):
        return named
    return load_recipe(detector.default_recipe if named is None else named)


def said_of(detector: "Detector", recipe: Recipe | None, named: str | Path | Recipe | None) -> list[str]:
    """What a person should know of where the anomalies come from, a sentence each."""
    if recipe is None or named is not None:
        return []
    return [f"{detector.method} learns from samples of the recipe {recipe.name}, since none was named"]


def anomalies_for(
    normals: "NormalPictures", recipe: Recipe | None, seed: int, category: str, progress: Stages
) -> "PlanAnomalies | None":
    """What the recipe makes of the images. Raises InputError where it can make nothing of them."""
    if recipe is None:
        return None
    from synthgen.pipeline.anomaly_source import anomalies_on

    return anomalies_on(normals.some(MOST_IMAGES), recipe, seed, category, progress)
