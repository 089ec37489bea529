"""Perlin mask and the image itself, cut into a grid and shuffled (MemSeg, Yang et al., 2023, section 3.2)."""

from typing import Annotated, ClassVar, Literal

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from synthgen.config.ranges import Share
from synthgen.images.pixels import Pixels
from synthgen.scene import Scene
from synthgen.streams import Stream
from synthgen.synthesizers.common.jitter import Jitter
from synthgen.synthesizers.common.perlin import PerlinParams, PerlinSynthesizer

Cells = Annotated[int, Field(ge=1, le=64)]


class PerlinSelfShuffleParams(PerlinParams):
    """The mask, the order of the grid's cells, and the colours."""

    grid: tuple[int, int]
    """Rows, columns."""
    order: list[int]
    """For each cell, row by row, the cell that is shown in its place."""
    jitter: Jitter


class PerlinSelfShuffle(PerlinSynthesizer[PerlinSelfShuffleParams]):
    """Show the image's own cells, shuffled, through a Perlin mask."""

    title: ClassVar[str] = "Blend shuffled tiles of the image itself through a Perlin mask"
    params_type = PerlinSelfShuffleParams

    method: Literal["perlin-self-shuffle"] = "perlin-self-shuffle"
    grid: tuple[Cells, Cells] = (8, 8)
    """Rows and columns that the image is cut into."""
    jitter: Share = 0.1
    """Colour jitter: brightness, contrast and saturation by 1 ± jitter, hue by ± jitter of the circle."""

    def draw(self, stream: Stream, scene: Scene) -> PerlinSelfShuffleParams:
        """Take every random decision: mask, order, colours, opacity."""
        return PerlinSelfShuffleParams(
            delta=stream.uniform(self.delta),
            mask=self.mask.draw(stream),
            grid=self.grid,
            order=stream.permutation(self.grid[0] * self.grid[1]),
            jitter=Jitter.draw(stream, self.jitter),
        )

    @classmethod
    def anomaly(
        cls, scene: Scene, params: PerlinSelfShuffleParams, positions: npt.NDArray[np.intp]
    ) -> Pixels:
        """The shuffled image, its colours jittered."""
        image = shuffled(scene.image, params.grid, params.order)
        chosen = image.reshape(-1, 1, image.shape[2]).take(positions, axis=0)
        return params.jitter.apply(chosen).reshape(len(positions), -1)


def shuffled(image: Pixels, grid: tuple[int, int], order: list[int]) -> Pixels:
    """Show cell ``order[k]`` of the grid in the place of cell k.

    Where the grid does not divide the image, the image is first mirrored at its right and lower border.
    """
    height, width, channels = image.shape
    rows, columns = grid
    cell_height, cell_width = -(-height // rows), -(-width // columns)
    bottom, right = rows * cell_height - height, columns * cell_width - width
    if bottom or right:
        image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REFLECT)
    cells = image.reshape(rows, cell_height, columns, cell_width, channels).swapaxes(1, 2)
    moved = cells.reshape(rows * columns, cell_height, cell_width, channels)[order]
    moved = moved.reshape(rows, columns, cell_height, cell_width, channels).swapaxes(1, 2)
    whole = moved.reshape(rows * cell_height, columns * cell_width, channels)
    return np.ascontiguousarray(whole[:height, :width])
