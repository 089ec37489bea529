"""Perlin mask and texture: DRAEM's anomalies (Zavrtanik et al., ICCV 2021, section 3.3).

DRAEM also turns the normal image itself in 3 of 10 cases; here the normal image stays as it is, because
the pair of normal and anomalous image is part of the result.
"""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from synthgen.images.pixels import Pixels
from synthgen.scene import Scene
from synthgen.streams import Stream
from synthgen.synthesizers.common.augmenters import Augmentation, Toned, draw_augmentations
from synthgen.synthesizers.common.perlin import PerlinParams, PerlinSynthesizer
from synthgen.synthesizers.ingredients import Ingredients


class PerlinTextureParams(PerlinParams):
    """The mask, the texture, and what is done to it."""

    texture_sha256: str
    augmentations: list[Augmentation]

    def needs(self) -> set[str]:
        """The texture."""
        return {self.texture_sha256}


class PerlinTexture(PerlinSynthesizer[PerlinTextureParams]):
    """Show an augmented texture through a Perlin mask."""

    title: ClassVar[str] = "Blend an unrelated texture through a Perlin mask"
    params_type = PerlinTextureParams

    method: Literal["perlin-texture"] = "perlin-texture"
    textures: Annotated[str, Field(min_length=1)] = "builtin"
    """A folder of pictures, such as DTD, or ``builtin`` for the photographs that come with scikit-image."""
    augmenters: Annotated[int, Field(ge=0, le=10)] = 3
    """How many of DRAEM's ten augmenters the texture goes through."""

    def collections(self) -> set[str]:
        """The one collection."""
        return {self.textures}

    def pinned(self, ingredients: Ingredients) -> dict[str, Any]:
        """The fields, with the hashes of the textures."""
        hashes = [file.sha256 for file in ingredients.textures[self.textures]]
        return super().pinned(ingredients) | {"textures": hashes}

    def draw(self, stream: Stream, scene: Scene) -> PerlinTextureParams:
        """Take every random decision: mask, texture, augmenters, opacity."""
        collection = scene.library.textures(self.textures)
        return PerlinTextureParams(
            delta=stream.uniform(self.delta),
            mask=self.mask.draw(stream),
            texture_sha256=collection[stream.integer(0, len(collection) - 1)],
            augmentations=draw_augmentations(stream, self.augmenters, scene.image.shape[2]),
        )

    @classmethod
    def anomaly(cls, scene: Scene, params: PerlinTextureParams, positions: npt.NDArray[np.intp]) -> Pixels:
        """The augmented texture."""
        texture = Toned(scene.library.texture(params.texture_sha256, scene.image.shape))
        for augmentation in params.augmentations:
            texture.augment(augmentation)
        return texture.at(positions)
