"""What to change on a method most of whose defects are rejected: only fields that it has."""

from typing import Any

from synthgen.defect import LOOKS_NORMAL
from synthgen.synthesizers.base import Synthesizer

_HELPS = {
    "empty mask": {
        "area": "a larger area",
        "width": "a larger width",
        "height": "a larger height",
        "half_width": "a larger half_width",
        "mask": "another mask",
    },
    "no visible change": {
        "delta": "more delta",
        "s": "a higher s",
        "jitter": "more jitter",
        "patch_from": "another patch_from",
        "fill": "another fill",
    },
    "too little on the foreground": {"min_overlap": "a lower min_overlap"},
    LOOKS_NORMAL: {
        "delta": "more delta",
        "s": "a higher s",
        "jitter": "more jitter",
        "patch_from": "another patch_from",
    },
}
"""By the judge's reason, what may help, by the field that it names."""
_OF_THE_RECIPE = {
    "empty mask": "check the recipe's foreground and size",
    "no visible change": "lower the recipe's judge.min_contrast",
    LOOKS_NORMAL: "put other methods beside it or in its place in the recipe's synthesizers",
}


def advice(synthesizer: Synthesizer[Any], reason: str) -> str:
    """What to change in a recipe where defects of a method are rejected for a reason of the judge."""
    fields = type(synthesizer).model_fields
    helpful = [
        help_
        for field, help_ in _HELPS.get(reason, {}).items()
        if field in fields and (field, getattr(synthesizer, field)) != ("delta", (1.0, 1.0))
    ]
    of_the_recipe = _OF_THE_RECIPE.get(reason, "check the recipe's foreground")
    if not helpful:
        return of_the_recipe
    return f"give {synthesizer.method} {' or '.join(helpful)}, or {of_the_recipe}"
