"""Small anomaly maps with masks, and regions found in the obvious way."""

from typing import Any

import numpy as np
import numpy.typing as npt

from synthgen.evaluation.metrics.pixels import LabelledMaps, Mask

Map = npt.NDArray[Any]


def random_maps(seed: int, count: int = 5, levels: int | None = None) -> tuple[list[Map], list[Mask]]:
    """Maps of different sizes; the first has no anomalous pixel. ``levels`` makes ties."""
    generator = np.random.default_rng(seed)
    maps, masks = [], []
    for position in range(count):
        shape = generator.integers(3, 12, 2)
        mask = generator.random(shape) < (0.25 if position else 0)
        scores = generator.random(shape) + 0.4 * mask
        maps.append((scores if levels is None else np.round(scores * levels)).astype(np.float32))
        masks.append(mask)
    masks[-1][0, 0] = True
    return maps, masks


def regions(mask: Mask) -> list[Mask]:
    """8-connected regions, by growing each from one pixel."""
    left, found = {(int(y), int(x)) for y, x in np.argwhere(mask)}, []
    while left:
        region, border = np.zeros_like(mask), [left.pop()]
        while border:
            y, x = border.pop()
            region[y, x] = True
            neighbours = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= neighbours
            border += neighbours
        found.append(region)
    return found


def labelled(*pairs: tuple[Any, Any]) -> LabelledMaps:
    return LabelledMaps(
        [np.array(scores, np.float32) for scores, _ in pairs], [np.array(mask) for _, mask in pairs]
    )
