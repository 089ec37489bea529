"""The sheet of an attention report: good product, changed copy, mask and where the network looks."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.figures import tiles
from synthgen.figures.sheet import Group, Note, Style, paint
from synthgen.images.own import drawn
from synthgen.images.pixels import Pixels

STYLE = Style(tile=192, gap=8, group_gap=40, row_gap=28, caption=18, detail=16)
SHOWN = 12


class Looked(NamedTuple):
    """What was measured of one pair."""

    source: str
    """sha256 of the good product."""
    area: float
    """The mask's share of the image."""
    shares: dict[str, float]
    """By map, the share of the attention that lies in the mask."""


class Shown(NamedTuple):
    """The pictures of one pair."""

    normal: Pixels
    """(H, W, C) uint8."""
    image: Pixels
    """(H, W, C) uint8."""
    mask: Pixels
    """(H, W) uint8."""
    maps: dict[str, npt.NDArray[np.float32]]
    """(h, w) each, by name."""


def attention_sheet(looked: Sequence[Looked], shown: Sequence[Shown], network: str) -> bytes:
    """A PNG with a row for each pair: normal, anomalous, mask, and every map with its share in the mask."""
    groups = []
    for pair, pictures in zip(looked, shown, strict=True):
        outline = tiles.mask_tile(pictures.mask, STYLE.tile)
        mask = np.repeat(outline[..., None] * np.uint8(255), 3, axis=2)
        good, found = (tiles.picture_tile(each, STYLE.tile) for each in (pictures.normal, pictures.image))
        heats = [tiles.outlined(_heat(each, pictures.mask.shape), outline) for each in pictures.maps.values()]
        notes = [
            Note("normal", ""),
            Note("anomalous", ""),
            Note("mask", f"{pair.area:.1%} of the area"),
            *(Note(name, f"{share:.0%} inside") for name, share in pair.shares.items()),
        ]
        groups.append(Group((good, found, mask, *heats), tuple(notes)))
    sheet = paint(
        groups,
        "Where the network looks",
        f"{network}; share of the attention inside the mask, which is outlined",
        STYLE,
        columns=1,
    )
    return drawn(sheet)


def _heat(scored: npt.NDArray[np.float32], size: tuple[int, ...]) -> npt.NDArray[Any]:
    shape = tiles.tile_shape(size[0], size[1], STYLE.tile)
    resized = cv2.resize(scored, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return tiles.map_colours(resized, 0.0, float(resized.max()))
