"""The methods that a first recipe proposes, with sizes that suit its samples."""

import math
from dataclasses import dataclass, field
from typing import Any

from synthgen.scene import ProductType

PUBLISHED_SIDE = 256
"""Published sizes in pixels are those of images of this side; a synthesizer scales them with the image."""
STRIP = 4
"""Proportion from which an image counts as a strip: its defects are sized by its width alone."""
LEAST_PATCH, LEAST_LARGE_PATCH = 24, 64
"""Pixels of the smallest and of the largest patch of an image so small that shares of it are specks."""
LEAST_CELL = 4
"""Side of the smallest cell of noise or of a shuffled image, pixels."""
LEAST_SCAR, LEAST_LARGE_SCAR = (2, 5), (4, 10)
"""Width and height of the smallest and of the largest scar, pixels."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A method of the mix: what it does, and the fields that are shown with their values."""

    method: str
    does: str
    fields: dict[str, Any] = field(default_factory=dict)
    suits: bool = True
    """Whether the method is meant for such products."""
    why_not: str = ""
    """Why a method that suits the product is left out, in a sentence."""

    @property
    def used(self) -> bool:
        """Whether the method is part of the mix; otherwise it is commented out."""
        return self.suits and not self.why_not


def propose_methods(kinds: set[ProductType], height: int, width: int) -> list[Offer]:
    """The methods for textures, objects or both, on samples of one size.

    A rectangle cut out of a texture mostly looks like what it covers, and the cells of an object's image are
    in part background.
    """
    area, noise = _area(height, width), _noise(height, width)
    return [
        Offer(
            "perlin-texture",
            "Textures shown through Perlin noise, as DRAEM does.",
            {"weight": 2, "textures": "builtin", "delta": [0.2, 1.0], **noise},
        ),
        Offer("scar", "A thin turned strip of the product.", {"weight": 1, **_scar(height, width)}),
        Offer("smoothblend", "A patch that fades out towards its edge.", {"weight": 1, "area": area}),
        Offer(
            "nsa",
            "Patches of another image, blended without a seam (Poisson blending).",
            {"weight": 1, "max_patches": 4},
        ),
        Offer(
            "perlin-self-shuffle",
            "The image's own cells, shuffled, through Perlin noise, as MemSeg does.",
            {"weight": 1, "grid": _grid(height, width), "delta": [0.2, 1.0], **noise},
            suits="texture" in kinds,
        ),
        Offer(
            "cutpaste",
            "A rectangle of the product, pasted onto another place of it.",
            {"weight": 1, "area": area, "patch_from": "same"},
            suits="object" in kinds,
        ),
        Offer(
            "cutout", "A rectangle of one colour.", {"weight": 1, "area": area, "fill": "mean"}, suits=False
        ),
    ]


def _area(height: int, width: int) -> list[float]:
    """Share of the image that a patch covers: of four squares of a strip's width, and no speck."""
    pixels = height * width
    looked_at = min(1.0, STRIP * min(height, width) ** 2 / pixels)
    low = max(0.02 * looked_at, LEAST_PATCH / pixels)
    high = max(0.15 * looked_at, LEAST_LARGE_PATCH / pixels)
    return [_two_digits(low), _two_digits(high)]


def _scar(height: int, width: int) -> dict[str, Any]:
    """Width and height of a scar, which is no speck in a small image."""
    pixel = PUBLISHED_SIDE / min(height, width)
    (least_width, least_height), (large_width, large_height) = LEAST_SCAR, LEAST_LARGE_SCAR
    return {
        "width": [max(2, math.ceil(least_width * pixel)), max(16, math.ceil(large_width * pixel))],
        "height": [max(10, math.ceil(least_height * pixel)), max(25, math.ceil(large_height * pixel))],
        "rotation": [-45, 45],
    }


def _noise(height: int, width: int) -> dict[str, Any]:
    """Cells of Perlin noise that are no smaller than four pixels, where the published ones are."""
    finest = int(math.log2(min(height, width) / LEAST_CELL))
    return {} if finest >= 5 else {"mask": {"scales": [0, finest]}}


def _grid(height: int, width: int) -> list[int]:
    """Rows and columns of cells: 8 x 8, fewer in a small image, and more along a strip."""
    cells = min(8, min(height, width) // LEAST_CELL)
    proportion = max(height, width) / min(height, width)
    along = cells if proportion <= STRIP else min(64, round(cells * proportion))
    return [cells, along] if height <= width else [along, cells]


def _two_digits(share: float) -> float:
    return float(f"{share:.2g}")
