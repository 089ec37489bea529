"""One sample of a set, as the search for faults looks at it."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.images.pixels import Mask, Pixels
from synthgen.validation.samples import SampleSet

THUMBNAIL = 16
Thumbnail = npt.NDArray[np.float32]


class Triple(NamedTuple):
    """A sample's image and its normal image, both (H, W, 3), and its mask (H, W)."""

    image: Pixels
    normal: Pixels
    mask: Mask

    def change(self) -> Pixels:
        """The largest channel change of each pixel, grey levels (H, W)."""
        red, green, blue = cv2.split(cv2.absdiff(self.image, self.normal))
        return np.asarray(cv2.max(cv2.max(red, green), blue))


def triples(samples: SampleSet) -> list[Triple]:
    """The samples one by one."""
    return [Triple(*each) for each in zip(samples.images, samples.normals, samples.masks, strict=True)]


def thumbnail(image: Pixels) -> Thumbnail:
    """An image averaged to 16 x 16 pixels, one after another: nearly alike images have nearly alike ones."""
    small = cv2.resize(image, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).ravel()


def mean_difference(first: Pixels, second: Pixels) -> float:
    """Mean absolute difference of two images or lists of pixels of one shape, grey levels."""
    return float(cv2.absdiff(first, second).mean())
