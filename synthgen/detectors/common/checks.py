"""The checks of what a detector is given and of what it gives."""

from collections.abc import Mapping

import torch
from torch import Tensor

from synthgen.errors import InputError, RunError

ROUNDING = 1e-3
"""How far beyond 0 and 1 a pixel may lie, as interpolation in float32 leaves some."""


def is_finite(values: Tensor) -> bool:
    """Whether no value is NaN or infinite; the extremes say it, without a second tensor of that size."""
    if not values.numel() or not values.is_floating_point():
        return True
    return all(bool(extreme.isfinite()) for extreme in values.aminmax())


def require_images(method: str, images: Tensor, side: int, first: int) -> None:
    """Raise InputError where a batch is not (B, 3, side, side) float32 with pixels from 0 to 1.

    ``first`` is the number of the batch's first image.
    """
    if images.dtype != torch.float32 or images.shape[1:] != (3, side, side):
        raise InputError(
            f"images are {tuple(images.shape)} {images.dtype}; {method} expects (B, 3, {side}, {side}) "
            "torch.float32"
        )
    if not len(images) or _are_pixels(images):
        return
    position = next(number for number, image in enumerate(images) if not _are_pixels(image))
    lowest, highest = (float(extreme) for extreme in images[position].aminmax())
    found = f"from {lowest:.4g} to {highest:.4g}"
    if not is_finite(images[position]):
        found = "that are NaN or infinite"
    raise InputError(f"image {first + position} has pixels {found}; {method} expects numbers from 0 to 1")


def require_state(method: str, state: Mapping[str, Tensor]) -> None:
    """Raise RunError where something that was learned is NaN or infinite."""
    for name, tensor in state.items():
        if not is_finite(tensor):
            raise RunError(
                f"{method} learned NaN or infinite values ({name}); fit it with another seed or settings"
            )


def require_scores(method: str, scores: Tensor, maps: Tensor, expected: tuple[int, int], first: int) -> None:
    """Raise RunError where scores are not (B,) or maps not (B, side, side), float32 and finite.

    ``expected``: B and the side; ``first`` is the number of the batch's first image.
    """
    count, side = expected
    right = scores.shape == (count,) and maps.shape == (count, side, side)
    if not right or not scores.dtype == maps.dtype == torch.float32:
        raise RunError(
            f"{method} gave scores {tuple(scores.shape)} {scores.dtype} and maps {tuple(maps.shape)} "
            f"{maps.dtype}; ({count},) and ({count}, {side}, {side}) torch.float32 are expected; this is a "
            "bug in the method"
        )
    if is_finite(scores) and is_finite(maps):
        return
    position = next(
        number for number in range(count) if not (is_finite(scores[number]) and is_finite(maps[number]))
    )
    raise RunError(
        f"{method} gave image {first + position} a score or map that is NaN or infinite; fit it again, with "
        "other settings or on other images"
    )


def _are_pixels(images: Tensor) -> bool:
    lowest, highest = images.aminmax()
    return bool(lowest >= -ROUNDING) and bool(highest <= 1 + ROUNDING)  # neither holds for NaN
