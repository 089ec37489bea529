"""Boxes: how large a patch is, and where on the foreground it goes."""

import math

import cv2
import numpy as np

from synthgen.config.model import FrozenModel
from synthgen.images.pixels import Pixels
from synthgen.scene import Scene
from synthgen.streams import Stream

PLACING_TRIES = 20


class Box(FrozenModel):
    """A box of whole pixels that lies inside its image."""

    left: int
    top: int
    width: int
    height: int

    def of(self, image: Pixels) -> Pixels:
        """The box's pixels, as a view."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]


def patch_size(
    stream: Stream, scene: Scene, area: tuple[float, float], aspect: tuple[float, float]
) -> tuple[int, int]:
    """Width and height of a patch: its share of the image uniform, its aspect (width / height) log-uniform.

    The aspect is first drawn to be below or above 1, as CutPaste does: (low, 1) or (1, high).
    """
    height, width = scene.image.shape[:2]
    low, high = aspect
    if low < 1 < high:
        low, high = (low, 1.0) if stream.boolean(0.5) else (1.0, high)
    ratio = stream.log_uniform((low, high))
    pixels = stream.uniform(area) * height * width
    return (
        min(width, max(2, round(math.sqrt(pixels * ratio)))),
        min(height, max(2, round(math.sqrt(pixels / ratio)))),
    )


def place(stream: Stream, scene: Scene, width: int, height: int, min_overlap: float) -> Box:
    """A box centred on the foreground and inside the image, ``min_overlap`` of it on the foreground.

    After a bounded number of tries the box with the largest overlap is returned; the judge has the last word.
    """
    best, best_overlap = Box(left=0, top=0, width=width, height=height), -1.0
    for _ in range(PLACING_TRIES):
        centre_x, centre_y = foreground_point(stream, scene)
        box = box_around(scene, centre_x, centre_y, width, height)
        if scene.covers_all:
            return box
        overlap = cv2.countNonZero(box.of(scene.foreground)) / (width * height)
        if overlap >= min_overlap:
            return box
        if overlap > best_overlap:
            best, best_overlap = box, overlap
    return best


def foreground_point(stream: Stream, scene: Scene) -> tuple[int, int]:
    """A uniformly drawn pixel (x, y) of the foreground, or of its bounding box where it is very thin."""
    left, top, width, height = scene.foreground_box
    for _ in range(64):
        x, y = stream.integer(left, left + max(width, 1) - 1), stream.integer(top, top + max(height, 1) - 1)
        if scene.foreground[y, x]:
            break
    return x, y


def box_around(scene: Scene, x: int, y: int, width: int, height: int) -> Box:
    """A box around a point, moved as little as needed to lie inside the image."""
    image_height, image_width = scene.image.shape[:2]
    return Box(
        left=min(max(x - width // 2, 0), image_width - width),
        top=min(max(y - height // 2, 0), image_height - height),
        width=width,
        height=height,
    )


def turned_size(width: int, height: int, degrees: float) -> tuple[int, int]:
    """Width and height of the upright box around a turned patch."""
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    return (
        math.ceil(width * cosine + height * sine - 1e-9),
        math.ceil(width * sine + height * cosine - 1e-9),
    )


def turned(pixels: Pixels, alpha: Pixels, degrees: float) -> tuple[Pixels, Pixels]:
    """Turn a patch counter-clockwise about its centre into its upright box; alpha is 0 outside of it."""
    if degrees == 0:
        return pixels, alpha
    height, width = alpha.shape
    new_width, new_height = turned_size(width, height, degrees)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    matrix[:, 2] += ((new_width - width) / 2, (new_height - height) / 2)
    size = (new_width, new_height)
    colours = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    weights = cv2.warpAffine(alpha, matrix, size, flags=cv2.INTER_NEAREST, borderValue=0)
    return colours.reshape(new_height, new_width, pixels.shape[2]), np.asarray(weights, np.uint8)
