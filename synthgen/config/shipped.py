"""The folder of the recipes that are shipped with synthgen."""

from pathlib import Path

RULES_FOLDER = "foreground"
"""The folder among the shipped recipes that holds published foreground rules instead."""


def shipped_dir() -> Path:
    """The folder of the recipes that come with synthgen, in a checkout or an installed wheel."""
    package = Path(__file__).parents[1]
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parent / "recipes"
