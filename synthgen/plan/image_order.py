"""Which normal image each index takes: a pure function of recipe, images and index."""

from collections.abc import Sequence
from functools import lru_cache

from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe
from synthgen.sources.records import NormalImage
from synthgen.streams import Stream

EPOCHS_KEPT = 4
"""Permutations that are kept for each group, so that indices near to each other cost one."""


TILES_IN_A_ROW = 8
"""Samples in a row that are tiles of one picture, which is then decoded once for all of them."""


class ImageOrder:
    """Every image of a group is taken once before any of them is taken again, each time in another order.

    ``spread: images`` makes one group of all images. ``spread: categories`` makes one of each category, in
    the order of their names, and the indices go round the groups. With ``resize: tile`` an image is taken for
    eight indices in a row.
    """

    def __init__(self, recipe: Recipe, images: Sequence[NormalImage]) -> None:
        self._seed = recipe.seed
        self._in_a_row = TILES_IN_A_ROW if recipe.resize == "tile" else 1
        self._groups: list[tuple[str, Sequence[NormalImage]]] = [("order", images)]
        if recipe.spread == "categories":
            self._groups = [(f"order/{category}", own) for category, own in by_category(images)]
        self._permutation = lru_cache(maxsize=EPOCHS_KEPT * len(self._groups))(self._drawn_permutation)

    def image(self, index: int) -> NormalImage:
        """The image of one index, from 0."""
        turn, group = divmod(index // self._in_a_row, len(self._groups))
        _, images = self._groups[group]
        epoch, position = divmod(turn, len(images))
        return images[self._permutation(group, epoch)[position]]

    def _drawn_permutation(self, group: int, epoch: int) -> list[int]:
        purpose, images = self._groups[group]
        return Stream(self._seed, epoch, purpose).permutation(len(images))


def drawn_from(plan: Plan) -> list[NormalImage]:
    """The normal images that become samples, in plan order."""
    return [image for image in plan.images if plan.recipe.split in ("all", image.split)]


def by_category(images: Sequence[NormalImage]) -> list[tuple[str, Sequence[NormalImage]]]:
    """The images of each category in their order, sorted by the categories' names."""
    groups: dict[str, list[NormalImage]] = {}
    for image in images:
        groups.setdefault(image.category, []).append(image)
    return sorted(groups.items())
