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
    """One pair, and where a network looks at it."""

    normal: Pixels
    """(H, W, C) uint8."""
    image: Pixels
    """(H, W, C) uint8."""
    mask: Pixels
    """(H, W) uint8."""
    maps: dict[str, npt.NDArray[np.float32]]
    """(h, w) each, by name."""
    shares: dict[str, float]
    """Share of each that lies in the mask."""


def attention_sheet(pairs: Sequence[Looked], network: str) -> bytes:
    """A PNG with a row for each pair: normal, anomalous, mask, and every map with its share in the mask."""
    groups = []
    for pair in pairs:
        outline = tiles.mask_tile(pair.mask, STYLE.tile)
        mask = np.repeat(outline[..., None] * np.uint8(255), 3, axis=2)
        maps = [_heat(each, pair.mask.shape) for each in pair.maps.values()]
        notes = [
            Note("normal", ""),
            Note("anomalous", ""),
            Note("mask", f"{(pair.mask > 0).mean():.1%} of the area"),
            *(Note(name, f"{pair.shares[name]:.0%} inside") for name in pair.maps),
        ]
        pictures = [tiles.picture_tile(each, STYLE.tile) for each in (pair.normal, pair.image)]
        heats = [tiles.outlined(each, outline) for each in maps]
        groups.append(Group((*pictures, mask, *heats), tuple(notes)))
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
