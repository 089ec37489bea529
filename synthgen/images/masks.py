"""Reading masks: whatever the encoding, everything above 0 is the mask, and what could mean two is refused.

Transparency: an alpha that is the same everywhere is passed over. Otherwise the mask is what would be seen
before black, and where all colours are black, what the alpha shows. Both hold only where the colours that are
hidden under full transparency tell of no other shape.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.images.decode import MAX_MEGAPIXELS, Stored, UnusableImage, decode_stored
from synthgen.images.pixels import Mask, Pixels

Channel = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""(H, W): one channel, or what stands for all of them, 0 outside of the mask."""

EDGE, EDGE_SHARE = 3, 1 / 100
"""How far a soft edge reaches from a pixel of 0, pixels or, where that is more, a share of the image's
smaller side; there, levels may differ as they like."""
CLASSES = 64
"""Levels beyond these are hardly class numbers."""
MOST_STEPS, MOST_GRADED_STEPS = 1 / 8, 1 / 64
"""Share of neighbours inside, without the edges, that differ: between classes, and where there are more
levels than classes."""
FAINT, FULL = 1 / 16, 15 / 16
"""Shares of the largest level: JPEG changes 0 to levels up to one, and white to levels above the other."""
MOST_RINGING = 0.72
"""Such levels, as a share of all between 0 and the largest; Lanczos leaves 0.71, JPEG 0.75 to 1."""
RINGING = 3
"""Faint levels farther than this from any stronger one belong to no edge, pixels."""


def read_mask(data: bytes, max_megapixels: int = MAX_MEGAPIXELS) -> Mask:
    """Decode a mask (H, W): True where its image has any channel above 0. Orientation and guards as `decode`.

    Raises UnusableImage for what is no mask (a photograph, a probability map, several values and no 0, JPEG
    and other lossy formats) and for what could be meant in two ways.
    """
    stored = decode_stored(data, max_megapixels)
    if stored.lossy:
        raise UnusableImage(
            f"a mask is expected and the file is a {stored.lossy}, which blurs a mask; save the mask as PNG, "
            "BMP, TIFF or lossless WebP"
        )
    channels = cv2.split(stored.samples)
    levels = _largest(channels) if len(channels) in (1, 3) else _seen(channels[:-1], channels[-1])
    _require_areas(levels, one_colour=_is_one_colour(channels))
    mask = np.asarray(levels > 0)
    _require_agreement(mask, stored)
    return mask


def _seen(colours: Sequence[Channel], alpha: Channel) -> Channel:
    """What is seen of colours with an alpha before black, or the alpha itself where only that has a shape."""
    levels = _largest(colours)
    visible, coloured = alpha > 0, levels > 0
    if _is_one_colour([alpha]):
        if coloured.any() and not visible.any():
            raise UnusableImage(
                "the mask is transparent everywhere and the colours hidden under it are not 0; save it "
                "without transparency"
            )
        return levels
    if (coloured & ~visible).any() and not coloured.all():
        raise UnusableImage(
            "the colours hidden under the mask's transparency tell of another shape than what is seen; save "
            "the mask without transparency"
        )
    if not (coloured & visible).any():
        _require_ground(visible)
        return alpha
    return np.minimum(levels, alpha)


def _require_ground(visible: Mask) -> None:
    """Refuse black around a transparent hole: the shape could be either."""
    border = np.concatenate([visible[0], visible[-1], visible[1:-1, 0], visible[1:-1, -1]])
    if border.mean() > 0.5:
        raise UnusableImage(
            "the mask is black around a transparent part, and either could be meant; save it without "
            "transparency, 0 outside and white inside"
        )


def _require_areas(levels: Channel, one_colour: bool) -> None:
    """Refuse what does not consist of areas of few values on 0; one colour everywhere is a whole mask."""
    values = _values(levels)
    if values[0] > 0 and not one_colour:
        raise UnusableImage(
            f"the mask has several values and none is 0 ({_some(values)}); 0 outside and anything else "
            "inside are expected: make its ground 0, or give the mask if this is a picture"
        )
    if len(values) > 2:
        inside = (levels > 0).view(np.uint8)
        _require_sharp(levels, inside, values)
        _require_few_values(levels, inside, values)


def _require_sharp(levels: Channel, inside: Pixels, values: list[int]) -> None:
    """Refuse a mask that was a JPEG once, which surrounds edges with levels near 0 and near the largest."""
    largest = values[-1]
    strong, full = levels > int(FAINT * largest), levels > int(FULL * largest)
    faint = inside > strong
    nearly_white = full & (levels < largest)
    between = np.count_nonzero(inside) - np.count_nonzero(levels == largest)
    ringing = np.count_nonzero(faint) + np.count_nonzero(nearly_white)
    if not faint.any() or not nearly_white.any() or ringing <= MOST_RINGING * between:
        return
    reach = np.ones((2 * RINGING + 1, 2 * RINGING + 1), np.uint8)
    if (faint > cv2.dilate(strong.view(np.uint8), reach)).any():
        raise UnusableImage(
            f"the mask has faint values away from its edges ({_some(values)}), as JPEG or blurring leaves "
            "them; threshold it at half of its largest value, and save it as PNG"
        )


def _require_few_values(levels: Channel, inside: Pixels, values: list[int]) -> None:
    """Refuse a photograph and a probability map, in which neighbours differ; antialiased edges may."""
    # The border of the image is no edge of the mask: what lies beyond is taken to be inside.
    edge = max(EDGE, round(EDGE_SHARE * min(levels.shape)))
    reach = np.ones((2 * edge + 1, 2 * edge + 1), np.uint8)
    away = np.asarray(cv2.erode(inside, reach, borderType=cv2.BORDER_CONSTANT, borderValue=1), np.uint8)
    pairs, steps = _neighbours(levels, away)
    most = MOST_STEPS if len(_values(levels, away)) <= CLASSES else MOST_GRADED_STEPS
    if steps > most * pairs or _is_noise(levels, inside):
        raise UnusableImage(
            f"the mask has {len(values)} values that change from pixel to pixel, as a photograph or a "
            "probability map has; 0 outside and one value, or class numbers, inside are expected: threshold "
            "it, or give the mask if this is a picture"
        )


def _is_noise(levels: Channel, inside: Pixels) -> bool:
    """Whether pixels of 0 are strewn among others that mostly differ, as in a dark photograph."""
    pairs, steps = _neighbours(levels, inside)
    if 2 * steps <= pairs:
        return False
    ground = 1 - inside
    solid = cv2.erode(ground, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return bool(2 * np.count_nonzero(solid) < np.count_nonzero(ground))


def _require_agreement(mask: Mask, stored: Stored) -> None:
    """Refuse a palette that shows a number other than 0 as black, or 0 as another colour."""
    if stored.indices is not None and not np.array_equal(mask, stored.indices > 0):
        raise UnusableImage(
            "the colours of the mask's palette and their numbers disagree about what is 0; save the mask in "
            "grey, 0 outside and white inside"
        )


def _largest(channels: Sequence[Channel]) -> Channel:
    largest = channels[0]
    for channel in channels[1:]:
        largest = np.maximum(largest, channel)
    return largest


def _is_one_colour(channels: Sequence[Channel]) -> bool:
    return all(channel.min() == channel.max() for channel in channels)


def _values(levels: Channel, where: Pixels | None = None) -> list[int]:
    """The values that occur, ascending."""
    size = int(np.iinfo(levels.dtype).max) + 1
    return np.flatnonzero(cv2.calcHist([levels], [0], where, [size], [0, size])).tolist()


def _neighbours(levels: Channel, where: Pixels) -> tuple[int, int]:
    """How many pairs side by side lie ``where`` it is not 0, and how many of these have different levels."""
    both = where[:, 1:] & where[:, :-1]
    differ = levels[:, 1:] != levels[:, :-1]
    return int(np.count_nonzero(both)), int(np.count_nonzero(both & differ))


def _some(values: list[int]) -> str:
    shown = ", ".join(map(str, values[:4]))
    return f"{shown} … {values[-1]}" if len(values) > 4 else shown
