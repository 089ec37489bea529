"""Small pictures of products, and a library of them in memory; nothing in it can be written to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import cv2
import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DModel

from synthgen.diffusion.model import DiffusionModel
from synthgen.diffusion.model_files import ModelFacts, PinnedModel, pin, write_model
from synthgen.images.pixels import Pixels
from synthgen.scene import ProductType, Scene
from synthgen.synthesizers.ingredients import PinnedBank

PEERS = 7
TEXTURES = 5


class RefusedError(Exception):
    """Something was read that was not asked for."""


@dataclass
class MemoryLibrary:
    """A library without files; with ``readable`` it gives out what is named there and refuses all else."""

    scenes: dict[str, Scene] = field(default_factory=dict)
    pictures: dict[str, Pixels] = field(default_factory=dict)
    readable: Collection[str] | None = None
    read: set[str] = field(default_factory=set)

    def peers(self, category: str) -> Sequence[str]:
        """All scenes of a category."""
        return [name for name, scene in self.scenes.items() if scene.category == category]

    def textures(self, collection: str) -> Sequence[str]:
        """All textures, whatever the collection is called."""
        if self.readable is not None:
            raise RefusedError(f"the list of {collection}")
        return list(self.pictures)

    def scene(self, sha256: str) -> Scene:
        """A scene by its name."""
        self._note(sha256)
        return self.scenes[sha256]

    def texture(self, sha256: str, shape: tuple[int, int, int]) -> Pixels:
        """A texture in the given shape."""
        self._note(sha256)
        height, width, channels = shape
        pixels = cv2.resize(self.pictures[sha256], (width, height), interpolation=cv2.INTER_AREA)
        return frozen(pixels[..., :channels].reshape(shape))

    def pinned_model(self, name: str) -> PinnedModel:
        """The one small model, whatever its name."""
        return small_model()[0]

    def model(self, sha256: str, device: str) -> DiffusionModel:
        """The one small model, on the CPU."""
        self._note(sha256)
        return small_model()[1]

    def bank(self, name: str) -> "MemoryBank":
        """A bank of the pictures."""
        return MemoryBank(self)

    def bank_picture(self, fingerprint: str, index: int) -> Pixels:
        """A stored picture."""
        self._note(fingerprint)
        return frozen(list(self.pictures.values())[index])

    def only(self, readable: Collection[str]) -> "MemoryLibrary":
        """The same pictures, of which only those named may be read."""
        return MemoryLibrary(self.scenes, self.pictures, frozenset(readable))

    def _note(self, name: str) -> None:
        if self.readable is not None and name not in self.readable:
            raise RefusedError(name)
        self.read.add(name)


@dataclass
class MemoryBank:
    """A bank whose members are a library's pictures."""

    library: MemoryLibrary

    @property
    def pinned(self) -> PinnedBank:
        """What a plan would pin of it."""
        return PinnedBank(
            fingerprint="bank",
            shards_sha256="0",
            size=(80, 112),
            channels=3,
            categories=["texture", "object"],
        )

    def members(self, category: str) -> Sequence[int]:
        """All pictures, whatever the category."""
        if self.library.readable is not None:
            raise RefusedError("the members of the bank")
        return range(len(self.library.pictures))

    @property
    def fingerprint(self) -> str:
        """Of no plan."""
        return self.pinned.fingerprint

    def strength(self, index: int) -> float:
        """The same for all pictures."""
        return 0.15


@cache
def small_model() -> tuple[PinnedModel, DiffusionModel]:
    """A model of random weights: 16 x 16, RGB, of the categories texture and object."""
    with TemporaryDirectory() as folder:
        directory = random_model(Path(folder), size=16, categories=["object", "texture"])
        return pin(folder), DiffusionModel(directory)


def random_model(
    directory: Path, size: int, categories: list[str], channels: Literal[1, 3] = 3, **facts: Any
) -> Path:
    """Write a model of random weights, smaller than any preset."""
    packing = facts.get("packing", 1)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        unet = UNet2DModel(
            sample_size=size // packing,
            in_channels=channels * packing**2,
            out_channels=channels * packing**2,
            layers_per_block=1,
            block_out_channels=(8, 8),
            norm_num_groups=4,
            down_block_types=("DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D"),
            add_attention=False,
            num_class_embeds=len(categories) + 1 if len(categories) > 1 else None,
        )
    described = ModelFacts(
        size=size,
        channels=channels,
        **({"view": "image", "image_size": (size, size)} | facts),
        categories=categories,
        trained_on=8,
        training={},
    )
    write_model(directory, unet, DDPMScheduler(clip_sample=True), described, "")
    return directory


def frozen(pixels: Pixels) -> Pixels:
    """A contiguous copy that cannot be written to."""
    copy = np.ascontiguousarray(pixels).copy()
    copy.setflags(write=False)
    return copy


def named(pixels: Pixels) -> str:
    """The sha256 of the pixels."""
    return sha256(pixels.tobytes()).hexdigest()


def cloudy(shape: tuple[int, ...], seed: int, sigma: float = 2.0) -> Pixels:
    """Soft spots of strong contrast, every channel its own: a picture with no two places alike."""
    height, width, channels = shape
    noise = np.random.default_rng(seed).normal(size=(height, width, channels)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), sigma).reshape(shape)
    return np.clip(128 + 55 * soft / soft.std(), 0, 255).astype(np.uint8)


def disc(height: int, width: int) -> Pixels:
    """A disc that leaves the corners and a margin free: 0 or 255."""
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, (width // 2, height // 2), round(0.42 * min(height, width)), 255, -1)
    return mask


def scenes(kind: ProductType, height: int, width: int, channels: int, count: int = PEERS) -> list[Scene]:
    """Peers of one category with one library."""
    library = MemoryLibrary()
    for number in range(TEXTURES):
        picture = cloudy((80, 112, 3), 1000 + number, sigma=1.0 + number)
        library.pictures[named(picture)] = frozen(picture)
    for number in range(count):
        image = cloudy((height, width, channels), number)
        foreground = np.full((height, width), 255, np.uint8)
        if kind == "object":
            foreground = disc(height, width)
            image = np.where(foreground[..., None] > 0, image, np.uint8(30))
        scene = Scene(named(image), kind, kind, frozen(image), frozen(foreground), library)
        library.scenes[scene.sha256] = scene
    return list(library.scenes.values())


PLACES: dict[str, tuple[ProductType, int, int, int]] = {
    "grey texture 64x64": ("texture", 64, 64, 1),
    "RGB texture 48x96": ("texture", 48, 96, 3),
    "grey object 96x48": ("object", 96, 48, 1),
    "RGB object 64x64": ("object", 64, 64, 3),
}


@cache
def place(name: str) -> list[Scene]:
    """The peers of one entry of PLACES."""
    return scenes(*PLACES[name])


def unlike_halves(height: int, width: int) -> list[Scene]:
    """Two images of one category: the product is on the left of the first and on the right of the second."""
    library = MemoryLibrary()
    for number, columns in enumerate((slice(0, width // 2), slice(width // 2, width))):
        foreground = np.zeros((height, width), np.uint8)
        foreground[:, columns] = 255
        image = frozen(cloudy((height, width, 3), number))
        library.scenes[str(number)] = Scene(str(number), "test", "object", image, frozen(foreground), library)
    return list(library.scenes.values())


def larger(scene: Scene, factor: int, library: MemoryLibrary) -> Scene:
    """The same product photographed with more pixels."""
    height, width, _ = scene.image.shape
    size = (width * factor, height * factor)
    image = cv2.resize(scene.image, size, interpolation=cv2.INTER_CUBIC)
    foreground = cv2.resize(scene.foreground, size, interpolation=cv2.INTER_NEAREST)
    return Scene(
        scene.sha256,
        scene.category,
        scene.product_type,
        frozen(image.reshape(height * factor, width * factor, -1)),
        frozen(foreground),
        library,
    )
