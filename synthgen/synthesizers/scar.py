"""CutPaste-scar: a thin turned strip of the product in another place (Li et al., CVPR 2021, section 2.3)."""

from typing import ClassVar, Literal

import numpy as np

from synthgen.config.ranges import DegreesRange, PositiveRange
from synthgen.images.pixels import Pixels
from synthgen.scene import Scene
from synthgen.streams import Stream
from synthgen.synthesizers.common.patch import PatchSynthesizer


class Scar(PatchSynthesizer):
    """Paste a thin, turned, jittered strip of the product onto another place of it."""

    title: ClassVar[str] = "Paste a thin, tilted strip of the product onto another place of it"

    method: Literal["scar"] = "scar"
    width: PositiveRange = (2, 16)
    """Pixels at 256 x 256; scaled with the image."""
    height: PositiveRange = (10, 25)
    """Pixels at 256 x 256; scaled with the image."""
    rotation: DegreesRange = (-45.0, 45.0)

    def size(self, stream: Stream, scene: Scene) -> tuple[int, int]:
        """Width and height, scaled with the image."""
        image_height, image_width = scene.image.shape[:2]
        width, height = (round(stream.uniform(bounds) * scene.scale) for bounds in (self.width, self.height))
        return min(max(width, 2), image_width), min(max(height, 2), image_height)

    @classmethod
    def shape(cls, width: int, height: int) -> Pixels:
        """The whole strip."""
        return np.full((height, width), 255, np.uint8)
