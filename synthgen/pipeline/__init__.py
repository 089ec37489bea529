"""From a recipe to a plan to samples."""
