"""SDAS: whole images out of a diffusion model (RealNet, CVPR 2024, section 3.1).

They have no paired normal image: the mask is full, and nothing is judged.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

import numpy as np

from synthgen.defect import Defect
from synthgen.diffusion.sampling import Sampling
from synthgen.images.pixels import Pixels
from synthgen.scene import Scene
from synthgen.streams import Stream
from synthgen.synthesizers.common.diffusion import (
    DiffusionParams,
    DiffusionSynthesizer,
    Generation,
    by_group,
    shown_in,
)


class SdasImageParams(DiffusionParams):
    """One picture, all over the image."""

    picture: Generation

    @property
    def strength(self) -> float:
        """``s``."""
        return self.picture.s

    def needs(self) -> set[str]:
        """The model."""
        return {self.picture.model_sha256}


class SdasImage(DiffusionSynthesizer[SdasImageParams]):
    """Make a whole image that leaves the normal ones by a strength."""

    title: ClassVar[str] = "Generate a whole anomalous image by diffusion"
    params_type = SdasImageParams
    paired: ClassVar[bool] = False

    method: Literal["sdas-image"] = "sdas-image"
    view: Literal["exact", "resized"] = "exact"
    """How the model's square meets the image: of the same size, or resized to it."""

    def draw(self, stream: Stream, scene: Scene) -> SdasImageParams:
        """Take every random decision: noise and strength."""
        return SdasImageParams(
            delta=1.0,
            window=self._draw_window(stream, scene),
            picture=self._draw_generation(stream, scene),
        )

    @classmethod
    def make(
        cls, scenes: Sequence[Scene], params: Sequence[SdasImageParams], device: str
    ) -> Iterable[Defect]:
        """Sample the model, a batch of its own size at a time."""
        pictures = generated(scenes, [numbers.picture for numbers in params], device)
        return map(_all_over, scenes, params, pictures)


def generated(scenes: Sequence[Scene], pictures: Sequence[Generation], device: str) -> list[Pixels]:
    """The models' pictures (S, S, C) uint8, one for each scene's category."""
    from synthgen.diffusion.model import Whole

    def make(how: tuple[str, Sampling], some: list[tuple[Scene, Generation]]) -> list[Pixels]:
        sha256, sampling = how
        model = some[0][0].library.model(sha256, device)
        requests = [Whole(each.noise_seed, each.s, scene.category) for scene, each in some]
        return model.whole(requests, sampling)

    both = list(zip(scenes, pictures, strict=True))
    return by_group(both, lambda pair: (pair[1].model_sha256, pair[1].sampling), make)


def _all_over(scene: Scene, params: SdasImageParams, picture: Pixels) -> Defect:
    pixels = shown_in(params.window, picture, scene.image.shape[2])
    return Defect(0, 0, pixels, np.full(pixels.shape[:2], 255, np.uint8))
