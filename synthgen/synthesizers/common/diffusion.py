"""What the methods share that take their pictures from a diffusion model."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import cv2
import numpy as np
from pydantic import Field

from synthgen.config.model import FrozenModel
from synthgen.config.ranges import StrengthRange
from synthgen.defect import Defect
from synthgen.diffusion.sampling import Sampling
from synthgen.errors import InputError
from synthgen.images.pixels import Pixels
from synthgen.runtime.extras import require_extra
from synthgen.scene import Scene
from synthgen.streams import Stream
from synthgen.synthesizers.base import Params, Synthesizer
from synthgen.synthesizers.common.boxes import Box, box_around, foreground_point
from synthgen.synthesizers.ingredients import Ingredients

View = Literal["exact", "patch", "resized"]

NOISE_SEEDS = 2**53 - 1


class Generation(FrozenModel):
    """The drawn numbers of one picture out of a model."""

    model_sha256: str
    noise_seed: int
    s: float
    sampling: Sampling


class DiffusionParams(Params):
    """Where in the image the model's picture goes."""

    window: Box

    @property
    def strength(self) -> float:
        """``s``."""
        raise NotImplementedError


P = TypeVar("P", bound=DiffusionParams)


class DiffusionSynthesizer(Synthesizer[P]):
    """A method that takes its pictures from a trained model."""

    renamed = {"fit": "view (exact, patch or resized)"}  # noqa: RUF012 - a class variable of the base
    strength_name: ClassVar[Literal["delta", "s"]] = "s"
    runs_network: ClassVar[bool] = True
    imports: ClassVar[tuple[str, ...]] = ("torch", "synthgen.diffusion.model")

    model: Annotated[str, Field(min_length=1)] = "builtin"
    """A directory that `synthgen sdas train` wrote, or ``builtin`` for the small model that is installed."""
    s: StrengthRange = (0.1, 0.2)
    """Strength, [low, high], drawn uniformly: the reverse process has (1 + s) times its variance."""
    view: View = "exact"
    """How the model's square meets the image: of the same size, on a patch of it, or resized to all of it."""
    sampling: Sampling = Sampling()
    """How the model is sampled."""

    def models(self) -> set[str]:
        """The one model."""
        return {self.model}

    def require_packages(self) -> None:
        """Raise InputError where a model is to be sampled without the extra ``sdas``."""
        if self.models():
            require_extra("sdas", self.method)

    def check(self, ingredients: Ingredients) -> None:
        """Raise InputError where the model cannot serve the plan's images."""
        for name in self.models():
            _check_model(self.method, self.view, name, ingredients)

    def pinned(self, ingredients: Ingredients) -> dict[str, Any]:
        """The fields, with what was pinned of the model."""
        data = super().pinned(ingredients)
        if self.model in ingredients.models:
            data["model"] = ingredients.models[self.model].model_dump(mode="json")
        return data

    def _draw_generation(self, stream: Stream, scene: Scene) -> Generation:
        return Generation(
            model_sha256=scene.library.pinned_model(self.model).sha256,
            noise_seed=stream.integer(0, NOISE_SEEDS),
            s=stream.uniform(self.s),
            sampling=self.sampling,
        )

    def _draw_window(self, stream: Stream, scene: Scene) -> Box:
        """The whole image, or the place of a patch around a point of the foreground."""
        height, width = scene.image.shape[:2]
        if self.view != "patch":
            return Box(left=0, top=0, width=width, height=height)
        size = scene.library.pinned_model(self.model).side
        return box_around(scene, *foreground_point(stream, scene), size, size)


def _check_model(method: str, view: View, name: str, ingredients: Ingredients) -> None:
    facts, preparation = ingredients.models[name].facts, ingredients.preparation
    height, width = preparation.size
    images, model = f"{width} x {height}", f"{facts.size} x {facts.size}"
    if facts.channels == 1 and preparation.channels == 3:
        raise InputError(f"{method}: the model {name} makes grey images, and the source's are in colour")
    if view == "exact" and (height, width) != (facts.size, facts.size):
        raise InputError(
            f"{method}: the model {name} makes {model} pixels and the samples have {images}; "
            "say how they meet (view: patch or resized), change the size, or train a model of that size"
        )
    if preparation.resize == "tile":
        _check_model_of_tiles(method, view, name, ingredients)
    elif view == "patch" and (facts.view != "patch" or facts.image_size != (height, width)):
        trained_on = f"{facts.image_size[1]} x {facts.image_size[0]}"
        seen = f"patches of {trained_on}" if facts.view == "patch" else f"whole images, at {trained_on}"
        raise InputError(
            f"{method}: view: patch needs a model of patches out of {images} images, and {name} was "
            f"trained on {seen}; train with --set view=patch --set image_size=[{height},{width}], or use "
            "another view"
        )
    unknown = ingredients.categories - set(facts.categories)
    if unknown and (facts.conditional or len(ingredients.categories) > 1):
        raise InputError(
            f"{method}: the model {name} knows {', '.join(facts.categories)}, and the source also has "
            f"{', '.join(sorted(unknown))}; choose the source's categories, or train a model on all of them"
        )


def _check_model_of_tiles(method: str, view: View, name: str, ingredients: Ingredients) -> None:
    facts, (height, width) = ingredients.models[name].facts, ingredients.preparation.size
    if facts.view != "patch" or view == "resized":
        found = "view: resized changes it" if facts.view == "patch" else f"{name} saw whole images, resized"
        raise InputError(
            f"{method}: resize: tile needs a model that saw patches at the images' own resolution, and "
            f"{found}; train with --set view=patch and the images' own size as --set "
            "image_size=[HEIGHT,WIDTH], and use view: patch"
        )
    if facts.size > min(height, width):
        raise InputError(
            f"{method}: the model {name} makes {facts.size} x {facts.size} pixels, and the tiles have only "
            f"{width} x {height}; cut larger tiles, or train a smaller model"
        )


def seen_by(window: Box, scene: Scene, channels: int, size: int) -> Pixels:
    """What a model of some channels and size sees of a window: (size, size, channels) uint8."""
    pixels = resized(np.ascontiguousarray(window.of(scene.image)), size, size)
    return np.repeat(pixels, channels, axis=2) if pixels.shape[2] < channels else pixels


def shown_in(window: Box, picture: Pixels, channels: int) -> Pixels:
    """A model's picture as the window of an image with some channels: (h, w, channels) uint8."""
    if picture.shape[2] > channels:
        # The mean, rounded: a model of colour learned grey pictures as three equal channels.
        picture = ((picture.sum(axis=2, keepdims=True, dtype=np.uint16) + 1) // 3).astype(np.uint8)
    return resized(picture, window.width, window.height)


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """(H, W, C) as (height, width, C), where that is another size."""
    if pixels.shape[:2] == (height, width):
        return pixels
    smaller = pixels.shape[0] > height
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(pixels, (width, height), interpolation=how).reshape(height, width, -1)


def through(window: Box, mask: Pixels, pixels: Pixels, delta: float) -> Defect:
    """Pixels of a window, shown with opacity ``delta`` where a mask (h, w) is above 0."""
    weight = np.uint8(max(1, round(255 * delta)))
    return Defect(window.left, window.top, pixels, (mask > 0).view(np.uint8) * weight)


def nothing(scene: Scene) -> Defect:
    """A defect that the judge will refuse: no pixel of it is left."""
    return Defect(0, 0, scene.image[:1, :1], np.zeros((1, 1), np.uint8))


K = TypeVar("K", bound=Hashable)
A = TypeVar("A")
B = TypeVar("B")


def by_group(items: Sequence[A], key: Callable[[A], K], make: Callable[[K, list[A]], Iterable[B]]) -> list[B]:
    """Make the items of one key together, and give the results in the items' order."""
    groups: dict[K, list[int]] = {}
    for position, item in enumerate(items):
        groups.setdefault(key(item), []).append(position)
    results: dict[int, B] = {}
    for group, positions in groups.items():
        made = make(group, [items[position] for position in positions])
        results.update(zip(positions, made, strict=True))
    return [results[position] for position in range(len(items))]
