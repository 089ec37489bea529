"""synthgen: synthetic anomalies with exact masks for visual inspection.

A plan and an index make a sample, always the same one.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthgen.dataset import AnomalyDataset
    from synthgen.diffusion.model import load_model
    from synthgen.freezing import freeze
    from synthgen.plan import Plan
    from synthgen.recipe import Recipe
    from synthgen.recipe_file import load_recipe
    from synthgen.sample import Facts, Sample

_HOMES = {
    "AnomalyDataset": "synthgen.dataset",
    "Facts": "synthgen.sample",
    "Plan": "synthgen.plan",
    "Recipe": "synthgen.recipe",
    "Sample": "synthgen.sample",
    "freeze": "synthgen.freezing",
    "load_model": "synthgen.diffusion.model",
    "load_recipe": "synthgen.recipe_file",
}

__all__ = ["AnomalyDataset", "Facts", "Plan", "Recipe", "Sample", "freeze", "load_model", "load_recipe"]


def __getattr__(name: str) -> Any:
    # Late, so that `synthgen --help` does not wait for torch and OpenCV.
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'synthgen' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
