"""Small recipes for tests, on the built-in photographs."""

from typing import Any

from synthgen.recipe.recipe import Recipe

ALL_METHODS = [
    {"method": "cutpaste"},
    {"method": "scar"},
    {"method": "smoothblend", "patch_from": "other", "rotation": [-30, 30]},
    {"method": "perlin-texture"},
    {"method": "perlin-self-shuffle", "mask": {"field": "classic"}},
    {"method": "nsa"},
    {"method": "cutout", "delta": [0.4, 0.9]},
]


def small_recipe(**fields: Any) -> Recipe:
    """64 x 64, every method, a quarter normal; fields override."""
    recipe: dict[str, Any] = {
        "name": "small",
        "seed": 3,
        "count": 24,
        "source": {"kind": "builtin", "categories": ["brick", "gravel", "coffee"]},
        "size": [64, 64],
        "normal_share": 0.25,
        "synthesizers": ALL_METHODS,
        "output": {"shard_size": 6},
    }
    return Recipe.model_validate(recipe | fields)
