"""Pictures of samples for people: tiles of one size, mask outlines and heat maps."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.images.pixels import Pixels

Colour = tuple[int, int, int]

OUTLINE: Colour = (190, 255, 40)
CASING: Colour = (16, 20, 24)

CASING_WIDTH = 1
LINE_WIDTH = 3
OUTLINE_WIDTH = 2 * CASING_WIDTH + LINE_WIDTH
"""Pixels from the mask to the outline's end; its soft edge reaches less than one pixel further."""

HEAT_TOP = 100
"""The change, in grey levels, at which the heat map reaches its last colour."""


def tile_shape(height: int, width: int, side: int) -> tuple[int, int]:
    """Height and width of a picture whose longer side is to fill ``side``: enlarged by whole numbers only."""
    longer = max(height, width)
    if longer <= side:
        return height * (side // longer), width * (side // longer)
    return max(1, round(height * side / longer)), max(1, round(width * side / longer))


def picture_tile(image: Pixels, side: int) -> Pixels:
    """An (H, W, C) uint8 image, C = 1 or 3, as an (h, w, 3) tile whose longer side is at most ``side``."""
    tile = _resized(image, side)
    return np.ascontiguousarray(np.broadcast_to(tile, (*tile.shape[:2], 3)))


def mask_tile(mask: Pixels, side: int) -> npt.NDArray[np.bool_]:
    """An (H, W) mask at the size of its picture's tile, (h, w) bool: true where any of it falls."""
    return _resized((mask > 0).astype(np.float32)[..., None], side)[..., 0] > 0


def heat_tile(normal: Pixels, image: Pixels, side: int) -> Pixels:
    """The largest channel change of each pixel, from black (0) to yellow (``HEAT_TOP``), (h, w, 3)."""
    change = cv2.absdiff(normal, image).reshape(image.shape).max(axis=2)
    return heat_colours(_resized(change.astype(np.float32)[..., None], side)[..., 0])


def heat_colours(change: npt.NDArray[np.float32]) -> Pixels:
    """Changes in grey levels, (h, w), as colours of the INFERNO map, (h, w, 3) uint8."""
    level = np.clip(change * (255 / HEAT_TOP), 0, 255).round().astype(np.uint8)
    return np.asarray(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO)[..., ::-1], np.uint8)


def map_colours(scored: npt.NDArray[np.float32], low: float, high: float) -> Pixels:
    """An anomaly map (h, w) as colours, from black (``low``) to yellow (``high``), (h, w, 3) uint8."""
    share = (scored - low) / max(high - low, float(np.finfo(np.float32).tiny))
    return heat_colours(np.asarray(HEAT_TOP * share, np.float32))


def outlined(tile: Pixels, mask: npt.NDArray[np.bool_]) -> Pixels:
    """The tile with a bright line in a dark casing around the mask, drawn outside of it.

    Only where the mask meets the tile's edge does the line lie inside, so that it always closes.
    """
    if not mask.any():
        return tile.copy()
    distance = _outline_distance(mask)
    cover = np.clip(OUTLINE_WIDTH + 1 - distance, 0, 1) * (distance > 0)
    line = np.clip(np.minimum(distance - CASING_WIDTH, CASING_WIDTH + LINE_WIDTH + 1 - distance), 0, 1)
    dark, bright = np.array(CASING, np.float32), np.array(OUTLINE, np.float32)
    colour = dark + line[..., None] * (bright - dark)
    mixed = tile + cover[..., None] * (colour - tile)
    return np.asarray(mixed.round(), np.uint8)


def _outline_distance(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Pixels to the mask, 0 inside; a mask that meets the tile's edge has its outline along that edge."""
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    height, width = mask.shape
    rows, columns = np.arange(height), np.arange(width)
    from_edge = np.minimum(
        np.minimum(rows, height - 1 - rows)[:, None], np.minimum(columns, width - 1 - columns)[None]
    )
    return np.where(mask, np.maximum(CASING_WIDTH + LINE_WIDTH - from_edge, 0), distance).astype(np.float32)


def _resized(image: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    height, width = tile_shape(image.shape[0], image.shape[1], side)
    reduced = height < image.shape[0] or width < image.shape[1]
    interpolation = cv2.INTER_AREA if reduced else cv2.INTER_NEAREST
    resized = cv2.resize(image, (width, height), interpolation=interpolation)
    return resized.reshape(height, width, image.shape[2])
