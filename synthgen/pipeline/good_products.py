"""The good products of a plan that tell what is normal: which are learned from, and what is seen of each."""

from collections.abc import Iterator, Mapping, Sequence

from synthgen.errors import InputError
from synthgen.images.pixels import Pixels
from synthgen.images.preparation import Tile
from synthgen.normality.pinned import least_images
from synthgen.pipeline.image_store import PlanLibrary
from synthgen.pipeline.tiles import LEAST_FOREGROUND, cut, cut_scene, draw_tile
from synthgen.plan.image_order import by_category
from synthgen.plan.plan import Plan
from synthgen.sources.records import NormalImage
from synthgen.streams import Stream

MOST_LEARNED, MOST_HELD_OUT = 200, 100
"""Images of a category that are learned from, and that the threshold is chosen by, evenly spaced."""
WHOLE_SIDE = 512
"""Pixels of the sides of an image up to which the whole of it is seen."""
PARTS = 4
"""Of a larger one."""
IN_FIVE = 2
"""Of five tiles, as many are held out where too few pictures are."""
LEAST_QUANTILE = 0.5
"""Of a lower one nobody would make use."""

Good = tuple[NormalImage, Tile | None]
"""A good product: an image, or one tile of it."""


class GoodProducts:
    """The good products of a plan, by category."""

    def __init__(self, plan: Plan, library: PlanLibrary) -> None:
        self._library = library
        self._size = plan.preparation.size
        self._cuts_tiles = plan.preparation.resize == "tile"
        self.images: Mapping[str, Sequence[NormalImage]] = dict(by_category(plan.images))

    def split(self, category: str, quantile: float) -> tuple[list[Good], list[Good]]:
        """Those to learn from, and those to choose the threshold by.

        Where too few pictures are held out that tiles are cut out of, tiles of all pictures are. Raises
        InputError where a category has too few good products.
        """
        images, least = self.images[category], least_images(quantile)
        learned: list[Good] = [(image, None) for image in images if image.split == "train"]
        held_out: list[Good] = [(image, None) for image in images if image.split == "held-out"]
        if self._cuts_tiles and len(held_out) < least:
            tiles = self._tiles(images)
            learned = [tile for number, tile in enumerate(tiles) if number % 5 >= IN_FIVE]
            held_out = [tile for number, tile in enumerate(tiles) if number % 5 < IN_FIVE]
        if learned and len(held_out) >= least:
            return _spaced(learned, MOST_LEARNED), _spaced(held_out, MOST_HELD_OUT)
        supported = len(held_out) * 100 // (len(held_out) + 1) / 100
        raise InputError(
            f"judge.abnormal: a quantile of {quantile:g} needs {least} good images that are held out, and "
            f"{category} has {len(held_out)} of {len(learned) + len(held_out)}; give more images, a larger "
            "source.held_out, "
            + (f"a quantile of {supported:g} or less, " if supported >= LEAST_QUANTILE else "")
            + "or leave judge.abnormal out"
        )

    def parts(self, good: Good) -> Iterator[tuple[Pixels, Pixels]]:
        """What is seen of a good product, and its foreground: the whole, or parts of the size of a sample."""
        image, tile = good
        scene = self._library.scene(image.sha256)
        if tile:
            scene = cut_scene(scene, tile, self._size)
        height, width = self._size if self._cuts_tiles else scene.image.shape[:2]
        size = min(height, WHOLE_SIDE), min(width, WHOLE_SIDE)
        if size == scene.image.shape[:2]:
            yield scene.image, scene.foreground
            return
        for number in range(PARTS):
            stream = Stream(0, number, f"memory of normal/{image.sha256}")
            part = cut_scene(scene, draw_tile(stream, scene, size), size)
            yield part.image, part.foreground

    def _tiles(self, images: Sequence[NormalImage]) -> list[Good]:
        """All tiles beside each other that show enough of the product, in an order drawn at random."""
        found: list[Good] = []
        for image in images:
            foreground = self._library.scene(image.sha256).foreground
            rows, columns = (
                range(0, side - own + 1, own) for side, own in zip(foreground.shape, self._size, strict=True)
            )
            for tile in (Tile(top=top, left=left) for top in rows for left in columns):
                if cut(foreground, tile, self._size).mean() >= 255 * LEAST_FOREGROUND:
                    found.append((image, tile))
        order = Stream(0, 0, "tiles of normal").permutation(len(found))
        return [found[number] for number in order]


def _spaced(goods: Sequence[Good], most: int) -> list[Good]:
    count = min(len(goods), most)
    return [goods[number * len(goods) // count] for number in range(count)]
