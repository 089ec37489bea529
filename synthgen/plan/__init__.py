"""A plan: a recipe with the world pinned."""
