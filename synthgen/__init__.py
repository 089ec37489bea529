"""synthgen: synthetic anomalies with exact masks for visual inspection.

A plan and an index make a sample, always the same one.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthgen.diffusion.model import load_model
    from synthgen.pipeline.dataset import AnomalyDataset
    from synthgen.pipeline.freeze import freeze
    from synthgen.pipeline.pipeline import Pipeline
    from synthgen.plan.plan import Plan
    from synthgen.recipe.files import load_recipe
    from synthgen.recipe.recipe import Recipe
    from synthgen.sample import Facts, Sample

_HOMES = {
    "AnomalyDataset": "synthgen.pipeline.dataset",
    "Facts": "synthgen.sample",
    "Pipeline": "synthgen.pipeline.pipeline",
    "Plan": "synthgen.plan.plan",
    "Recipe": "synthgen.recipe.recipe",
    "Sample": "synthgen.sample",
    "freeze": "synthgen.pipeline.freeze",
    "load_model": "synthgen.diffusion.model",
    "load_recipe": "synthgen.recipe.files",
}

__all__ = [
    "AnomalyDataset",
    "Facts",
    "Pipeline",
    "Plan",
    "Recipe",
    "Sample",
    "freeze",
    "load_model",
    "load_recipe",
]


def __getattr__(name: str) -> Any:
    # Late, so that `synthgen --help` does not wait for torch and OpenCV.
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'synthgen' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
