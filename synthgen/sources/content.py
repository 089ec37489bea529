"""What pictures say by their content, whatever they are called: that they are masks, or that we made them."""

from collections.abc import Sequence

import numpy as np

from synthgen.errors import InputError
from synthgen.images.pixels import Decoded

MOST_CLASSES = 8
"""Values of a mask that numbers the kinds of defects, with that of the rest."""
MOST_CLASS_NUMBER = 20
OURS = "is a picture that synthgen drew, and no product"
"""Why a picture with our mark is left out."""


def looks_like_a_mask(pixels: Decoded) -> bool:
    """Whether an (H, W, C) image is grey and has 0 and at most 7 other values: 0/255, or 0, 1, 2."""
    return bool(pixels.max() > 0) and could_be_a_mask(pixels)


def could_be_a_mask(pixels: Decoded) -> bool:
    """As `looks_like_a_mask`, or black all over, as the mask of a good product is."""
    if not _has_few_values(pixels[::7, ::5]) or not _has_few_values(pixels):
        return False
    values = np.unique(pixels)
    is_grey = bool((pixels == pixels[..., :1]).all())
    return is_grey and values[0] == 0 and (values[-1] in (255, 65535) or values[-1] <= MOST_CLASS_NUMBER)


def _has_few_values(pixels: Decoded) -> bool:
    # A histogram is many times faster than sorting.
    return int(np.count_nonzero(np.bincount(pixels.reshape(-1)))) <= MOST_CLASSES


def require_no_mask(paths: Sequence[str]) -> None:
    """Raise InputError where there are pictures that look like masks among those of good products."""
    if paths:
        amount = f", and {len(paths) - 1} more do" if len(paths) > 1 else ""
        raise InputError(
            f"{paths[0]} looks like a mask: it has no shades{amount}; good products are expected; choose "
            "them by --normal with names of folders or globs (in a recipe: kind: folder, pattern: GLOB)"
        )
