"""Cutout: a rectangle of one colour (DeVries and Taylor, 2017; the baseline of CutPaste, table 4)."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

import numpy as np

from synthgen.config.ranges import PositiveRange, PositiveShareRange, Share
from synthgen.defect import Defect
from synthgen.scene import Scene
from synthgen.streams import Stream
from synthgen.synthesizers.base import Params, Synthesizer
from synthgen.synthesizers.common.boxes import Box, patch_size, place
from synthgen.synthesizers.common.patch import opacity


class CutoutParams(Params):
    """Where the rectangle lies and its colour."""

    target: Box
    colour: list[int]
    """One grey level 0 … 255 per channel."""


class Cutout(Synthesizer[CutoutParams]):
    """Fill a rectangle with one colour."""

    title: ClassVar[str] = "Fill a rectangle with one colour"
    params_type = CutoutParams

    method: Literal["cutout"] = "cutout"
    area: PositiveShareRange = (0.02, 0.15)
    """Share of the image that the rectangle covers."""
    aspect: PositiveRange = (0.3, 3.3)
    """Width / height, log-uniform on either side of 1."""
    fill: Literal["mean", "black", "random"] = "mean"
    """The image's mean colour (what a zero is after normalisation), black, or a random colour."""
    min_overlap: Share = 0.25

    def draw(self, stream: Stream, scene: Scene) -> CutoutParams:
        """Take every random decision: size, place, colour, opacity."""
        width, height = patch_size(stream, scene, self.area, self.aspect)
        return CutoutParams(
            delta=stream.uniform(self.delta),
            target=place(stream, scene, width, height, self.min_overlap),
            colour=self._colour(stream, scene),
        )

    def _colour(self, stream: Stream, scene: Scene) -> list[int]:
        channels = scene.image.shape[2]
        if self.fill == "black":
            return [0] * channels
        if self.fill == "random":
            return [stream.integer(0, 255) for _ in range(channels)]
        return list(scene.mean_colour)

    @classmethod
    def make(cls, scenes: Sequence[Scene], params: Sequence[CutoutParams], device: str) -> Iterable[Defect]:
        """Fill the rectangles."""
        return map(_rectangle, params)


def _rectangle(params: CutoutParams) -> Defect:
    box = params.target
    pixels = np.empty((box.height, box.width, len(params.colour)), np.uint8)
    pixels[:] = params.colour
    alpha = opacity(np.full((box.height, box.width), 255, np.uint8), params.delta)
    return Defect(box.left, box.top, pixels, alpha)
