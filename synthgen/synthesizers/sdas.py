"""SDAS as RealNet trains with it: an anomalous image through a Perlin mask (CVPR 2024, section 3.1, eq. 6).

A = (1 - M) I + delta M P + (1 - delta) M I, with P out of the model, live or from a bank of stored images.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

import cv2
from pydantic import Field

from synthgen.config.model import FrozenModel
from synthgen.config.ranges import PositiveShareRange
from synthgen.defect import Defect
from synthgen.errors import InputError
from synthgen.images.pixels import Pixels
from synthgen.regions.perlin_mask import AnyPerlinShape, LatticeShape, PerlinMask, perlin_masks
from synthgen.scene import Scene
from synthgen.streams import Stream
from synthgen.synthesizers.common.diffusion import (
    DiffusionParams,
    DiffusionSynthesizer,
    Generation,
    by_group,
    nothing,
    shown_in,
    through,
)
from synthgen.synthesizers.ingredients import Ingredients
from synthgen.synthesizers.sdas_image import generated


class BankPicture(FrozenModel):
    """A stored picture: the fingerprint of its bank, its index there, and the strength it was made with."""

    bank: str
    index: int
    s: float


class SdasParams(DiffusionParams):
    """The mask, and the picture that shows through it."""

    mask: PerlinMask
    picture: Generation | BankPicture

    @property
    def strength(self) -> float:
        """``s``."""
        return self.picture.s

    def needs(self) -> set[str]:
        """The model or the bank."""
        picture = self.picture
        return {picture.bank if isinstance(picture, BankPicture) else picture.model_sha256}


class Sdas(DiffusionSynthesizer[SdasParams]):
    """Show an image that leaves the normal ones by a strength through a Perlin mask."""

    title: ClassVar[str] = "Blend a diffusion-generated image through a Perlin mask"
    params_type = SdasParams

    method: Literal["sdas"] = "sdas"
    bank: Annotated[str, Field(min_length=1)] | None = None
    """A directory of shards of `sdas-image` to draw the pictures from, in place of the model."""
    delta: PositiveShareRange = (0.5, 1.0)
    """Opacity of the anomaly, [low, high]: its weight in the blend, above 0 to 1, drawn uniformly."""
    mask: AnyPerlinShape = LatticeShape()
    """Shape of the mask: a thresholded Perlin field."""

    def models(self) -> set[str]:
        """The model, where pictures are sampled live."""
        return set() if self.bank else {self.model}

    def banks(self) -> set[str]:
        """The bank, where there is one."""
        return {self.bank} if self.bank else set()

    def check(self, ingredients: Ingredients) -> None:
        """Raise InputError where the model or the bank cannot serve the plan's images."""
        super().check(ingredients)
        for name in self.banks():
            self._check_bank(name, ingredients)

    def pinned(self, ingredients: Ingredients) -> dict[str, Any]:
        """The fields, with what was pinned of the model and the bank."""
        data = super().pinned(ingredients)
        if self.bank:
            data["bank"] = ingredients.banks[self.bank].model_dump(mode="json")
        return data

    def _check_bank(self, name: str, ingredients: Ingredients) -> None:
        bank, (height, width) = ingredients.banks[name], ingredients.preparation.size
        if self.view == "patch" or (self.view == "exact" and bank.size != (height, width)):
            raise InputError(
                f"sdas: the bank {name} has images of {bank.size[1]} x {bank.size[0]} pixels and the samples "
                f"have {width} x {height}; a bank meets them with view: exact, or resized"
            )
        if ingredients.preparation.resize == "tile":
            raise InputError(
                f"sdas: the bank {name} does not say at which resolution its images show the product, which "
                "resize: tile has to know; leave the bank out and sample a model of patches"
            )
        if bank.channels == 1 and ingredients.preparation.channels == 3:
            raise InputError(f"sdas: the bank {name} has grey images, and the source's are in colour")
        missing = ingredients.categories - set(bank.categories)
        if missing:
            raise InputError(
                f"sdas: the bank {name} has images of {', '.join(bank.categories)}, and none of "
                f"{', '.join(sorted(missing))}; choose the source's categories, or generate a bank with them"
            )

    def draw(self, stream: Stream, scene: Scene) -> SdasParams:
        """Take every random decision: opacity, place, mask, picture."""
        return SdasParams(
            delta=stream.uniform(self.delta),
            window=self._draw_window(stream, scene),
            mask=self.mask.draw(stream),
            picture=self._draw_stored(stream, scene) if self.bank else self._draw_generation(stream, scene),
        )

    def _draw_stored(self, stream: Stream, scene: Scene) -> BankPicture:
        assert self.bank
        bank = scene.library.bank(self.bank)
        members = bank.members(scene.category)
        index = members[stream.integer(0, len(members) - 1)]
        return BankPicture(bank=bank.fingerprint, index=index, s=bank.strength(index))

    @classmethod
    def make(cls, scenes: Sequence[Scene], params: Sequence[SdasParams], device: str) -> Iterable[Defect]:
        """Cut the masks, then make or read a picture for each that touches the foreground."""
        windows = [(numbers.window.height, numbers.window.width) for numbers in params]
        masks = by_group(
            list(zip(windows, params, strict=True)),
            lambda pair: pair[0],
            lambda size, some: perlin_masks([each.mask for _, each in some], size[0], size[1], device),
        )
        shown = [
            cv2.countNonZero(cv2.bitwise_and(mask, numbers.window.of(scene.foreground))) > 0
            for mask, scene, numbers in zip(masks, scenes, params, strict=True)
        ]
        wanted = [position for position, visible in enumerate(shown) if visible]
        pictures = _pictures(
            [scenes[position] for position in wanted], [params[position] for position in wanted], device
        )
        made = dict(zip(wanted, pictures, strict=True))
        return [
            _blended(scene, numbers, mask, made[position]) if position in made else nothing(scene)
            for position, (scene, numbers, mask) in enumerate(zip(scenes, params, masks, strict=True))
        ]


def _pictures(scenes: Sequence[Scene], params: Sequence[SdasParams], device: str) -> list[Pixels]:
    """The pictures, out of models and banks: (S, S, C) uint8 each."""

    def make(live: bool, some: list[tuple[Scene, Generation | BankPicture]]) -> list[Pixels]:
        if live:
            pictures = [picture for _, picture in some if isinstance(picture, Generation)]
            return generated([scene for scene, _ in some], pictures, device)
        return [
            scene.library.bank_picture(picture.bank, picture.index)
            for scene, picture in some
            if isinstance(picture, BankPicture)
        ]

    both = [(scene, numbers.picture) for scene, numbers in zip(scenes, params, strict=True)]
    return by_group(both, lambda pair: isinstance(pair[1], Generation), make)


def _blended(scene: Scene, params: SdasParams, mask: Pixels, picture: Pixels) -> Defect:
    pixels = shown_in(params.window, picture, scene.image.shape[2])
    return through(params.window, mask, pixels, params.delta)
