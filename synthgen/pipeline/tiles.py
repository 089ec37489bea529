"""Tiles: the part of a normal image, at its own resolution, that one sample is made of (``resize: tile``)."""

from collections.abc import Sequence
from dataclasses import replace

import cv2

from synthgen.images.pixels import Pixels
from synthgen.images.preparation import Tile
from synthgen.scene import Library, PictureModel, PinnedPictures, Scene, StoredPictures
from synthgen.streams import Stream
from synthgen.synthesizers.common.boxes import foreground_point

PLACING_TRIES = 20
LEAST_FOREGROUND = 0.1
"""Share of a tile that is to be foreground."""

Size = tuple[int, int]
"""Height, width."""


def cut(image: Pixels, tile: Tile, size: Size) -> Pixels:
    """The tile's pixels, a copy; smaller than ``size`` where the tile does not lie inside of the image."""
    height, width = size
    return image[tile.top : tile.top + height, tile.left : tile.left + width].copy()


def cut_scene(picture: Scene, tile: Tile, size: Size) -> Scene:
    """The scene of one tile of a whole picture."""
    return replace(
        picture,
        image=cut(picture.image, tile, size),
        foreground=cut(picture.foreground, tile, size),
        tile=tile,
    )


def draw_tile(stream: Stream, picture: Scene, size: Size) -> Tile:
    """Draw a place inside a whole picture: around a pixel of the foreground, anywhere in the tile.

    It is drawn again until a tenth of the tile is foreground; after a bounded number of tries the fullest one
    is taken.
    """
    height, width = size
    best, fullest = Tile(top=0, left=0), -1
    for _ in range(PLACING_TRIES):
        x, y = foreground_point(stream, picture)
        tile = Tile(
            top=_inside(y - stream.integer(0, height - 1), height, picture.image.shape[0]),
            left=_inside(x - stream.integer(0, width - 1), width, picture.image.shape[1]),
        )
        pixels = cv2.countNonZero(cut(picture.foreground, tile, size))
        if pixels >= LEAST_FOREGROUND * height * width:
            return tile
        if pixels > fullest:
            best, fullest = tile, pixels
    return best


def _inside(first: int, length: int, whole: int) -> int:
    return min(max(first, 0), whole - length)


class TileLibrary:
    """What one sample may draw from: its own tile of every picture, and all else as in the plan's library.

    The place in each picture comes from a stream of its own, so that the order in which pictures are asked
    for changes nothing. What was cut stays, so that no picture is decoded twice for one sample.
    """

    def __init__(self, library: Library, seed: int, index: int, size: Size) -> None:
        self._library, self._seed, self._index, self._size = library, seed, index, size
        # These hold the plan's library and not this one, which holds them: nothing would free such a circle.
        self._scenes: dict[str, Scene] = {}

    def scene(self, sha256: str) -> Scene:
        """The scene of this sample's tile of a normal image."""
        if sha256 not in self._scenes:
            picture = self._library.scene(sha256)
            tile = draw_tile(Stream(self._seed, self._index, f"tile/{sha256}"), picture, self._size)
            self._scenes[sha256] = cut_scene(picture, tile, self._size)
        return replace(self._scenes[sha256], library=self)

    def peers(self, category: str) -> Sequence[str]:
        """As in the plan's library; so are all that follow."""
        return self._library.peers(category)

    def textures(self, collection: str) -> Sequence[str]:
        return self._library.textures(collection)

    def texture(self, sha256: str, shape: tuple[int, int, int]) -> Pixels:
        return self._library.texture(sha256, shape)

    def pinned_model(self, name: str) -> PinnedPictures:
        return self._library.pinned_model(name)

    def model(self, sha256: str, device: str) -> PictureModel:
        return self._library.model(sha256, device)

    def bank(self, name: str) -> StoredPictures:
        return self._library.bank(name)

    def bank_picture(self, fingerprint: str, index: int) -> Pixels:
        return self._library.bank_picture(fingerprint, index)
