"""The pixels that samples are made of: decoded once, prepared, and kept within a bound of memory."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from synthgen.diffusion.model_files import PinnedModel, digest, model_directory
from synthgen.errors import RunError
from synthgen.images.decode import decode
from synthgen.images.depth import depth_range, levels
from synthgen.images.pixels import Pixels
from synthgen.images.preparation import Preparation
from synthgen.images.prepare import prepare, prepare_mask
from synthgen.pipeline.tiles import TileLibrary
from synthgen.plan.image_order import drawn_from
from synthgen.plan.plan import Plan
from synthgen.regions.foreground import MaskFolder, apply
from synthgen.regions.large_pictures import foreground_of
from synthgen.regions.mask_folder import read_foreground
from synthgen.runtime.bounded_cache import BoundedCache
from synthgen.scene import Library, Scene
from synthgen.sources.base import Source
from synthgen.sources.records import NormalImage, PinnedFile
from synthgen.sources.textures import texture_source
from synthgen.storage.pinned import pinned_bytes
from synthgen.storage.root import Root

if TYPE_CHECKING:
    from synthgen.diffusion.model import DiffusionModel
    from synthgen.normality.network import CellNetwork
    from synthgen.shards.bank import Bank

CACHE_BYTES = 192 * 1024 * 1024


class Shelf:
    """What plans share that work in one process: networks, kept on their device, and prepared textures."""

    def __init__(self, texture_bytes: int = CACHE_BYTES // 3) -> None:
        self.models: dict[tuple[str, str], DiffusionModel] = {}
        self.textures: BoundedCache[Pixels] = BoundedCache(texture_bytes, lambda pixels: pixels.nbytes)
        self._cell_networks: dict[str, CellNetwork] = {}

    def cell_network(self, device: str) -> "CellNetwork":
        """The network that normality is seen through, loaded once."""
        from synthgen.normality.network import CellNetwork

        if device not in self._cell_networks:
            self._cell_networks[device] = CellNetwork(device)
        return self._cell_networks[device]


def prepare_texture(data: bytes, shape: tuple[int, int, int]) -> Pixels:
    """Decode a texture and resize it to ``shape`` (H, W, C); 16 bits are scaled by its own range."""
    pixels = decode(data)
    depth = depth_range([levels(pixels)])
    channels: Literal[1, 3] = 1 if shape[2] == 1 else 3
    depth16 = depth.range if depth else None
    return prepare(pixels, Preparation(size=shape[:2], resize="whole", channels=channels, depth16=depth16))


class PlanLibrary:
    """The scenes and textures of a plan, read from where its recipe's source lies.

    ``read_normal`` reads normal images by their paths where they lie elsewhere by now.
    """

    def __init__(
        self,
        plan: Plan,
        cache_bytes: int = CACHE_BYTES,
        shelf: Shelf | None = None,
        *,
        read_normal: Callable[[str], bytes] | None = None,
    ) -> None:
        self._plan = plan
        self._read_normal = read_normal or plan.recipe.source.read
        self._shelf = shelf or Shelf(cache_bytes // 3)
        self._images = {image.sha256: image for image in plan.images}
        self._textures = {
            file.sha256: (collection, file) for collection, files in plan.textures.items() for file in files
        }
        self._collections = {name: [file.sha256 for file in files] for name, files in plan.textures.items()}
        self._texture_sources: dict[str, Source] = {}
        self._banks: dict[str, Bank] = {}
        self._cuts_tiles = plan.preparation.resize == "tile"
        self._scenes: BoundedCache[Scene] = BoundedCache(
            cache_bytes, _picture_bytes if self._cuts_tiles else _scene_bytes
        )

    def of_sample(self, index: int) -> Library:
        """What one sample may draw from: this library, or one that gives its own tiles of the pictures."""
        if not self._cuts_tiles:
            return self
        return TileLibrary(self, self._plan.recipe.seed, index, self._plan.preparation.size)

    @cached_property
    def _peers(self) -> dict[str, list[str]]:
        peers: dict[str, list[str]] = {}
        for image in drawn_from(self._plan):
            peers.setdefault(image.category, []).append(image.sha256)
        return peers

    def peers(self, category: str) -> Sequence[str]:
        """The normal images of one category that may be used, in plan order."""
        return self._peers[category]

    def scene(self, sha256: str) -> Scene:
        """The prepared scene of a normal image, the whole picture where tiles are cut out of it.

        Raises RunError where its file has changed.
        """
        return self._scenes.get(sha256, lambda: self._read_scene(self._images[sha256]))

    def textures(self, collection: str) -> Sequence[str]:
        """The pinned pictures of a texture collection, in plan order."""
        return self._collections[collection]

    def texture(self, sha256: str, shape: tuple[int, int, int]) -> Pixels:
        """A texture resized to ``shape`` (H, W, C)."""
        return self._shelf.textures.get((sha256, shape), lambda: self._read_texture(sha256, shape))

    def pinned_model(self, name: str) -> PinnedModel:
        """What the plan pinned of a diffusion model."""
        return self._plan.models[name]

    def model(self, sha256: str, device: str) -> "DiffusionModel":
        """A diffusion model, loaded once. Raises RunError where its files have changed."""
        models = self._shelf.models
        if (sha256, device) not in models:
            name = next(name for name, model in self._plan.models.items() if model.sha256 == sha256)
            models[sha256, device] = load_pinned(model_directory(name), sha256, device)
        return models[sha256, device]

    def bank(self, name: str) -> "Bank":
        """A bank, opened once. Raises RunError where it has changed."""
        if name not in self._banks:
            from synthgen.shards.bank import open_bank

            self._banks[name] = open_bank(name, self._plan.banks[name])
        return self._banks[name]

    def bank_picture(self, fingerprint: str, index: int) -> Pixels:
        """A stored image of the bank with this fingerprint."""
        name = next(name for name, bank in self._plan.banks.items() if bank.fingerprint == fingerprint)
        return self.bank(name).read(index).pixels

    def _read_scene(self, image: NormalImage) -> Scene:
        data = pinned_bytes(self._read_normal, image.path, image.sha256)
        pixels = prepare(decode(data, self._plan.recipe.source.max_megapixels), self._plan.preparation)
        rule = self._plan.foreground[image.category]
        mask = image.foreground_mask
        found = foreground_of if self._cuts_tiles else apply
        foreground = self._read_mask(mask) if mask else found(rule, pixels)
        return Scene(image.sha256, image.category, rule.product_type, pixels, foreground, self)

    def _read_mask(self, mask: PinnedFile) -> Pixels:
        choice = self._plan.recipe.foreground
        assert isinstance(choice, MaskFolder)
        data = pinned_bytes(Root(choice.masks).read, mask.path, mask.sha256)
        found = read_foreground(data, mask.path, self._plan.recipe.source.max_megapixels)
        return prepare_mask(found, self._plan.preparation)

    def _read_texture(self, sha256: str, shape: tuple[int, int, int]) -> Pixels:
        collection, file = self._textures[sha256]
        source = self._texture_sources.setdefault(collection, texture_source(collection))
        return prepare_texture(pinned_bytes(source.read, file.path, sha256), shape)


def load_pinned(directory: Path, sha256: str, device: str) -> "DiffusionModel":
    """Load a model and check that it still is what was pinned. Raises RunError."""
    from synthgen.diffusion.model import DiffusionModel

    if digest(directory) != sha256:
        raise RunError(f"model {directory}: changed since the plan was made; start in a new directory")
    return DiffusionModel(directory, device)


def _scene_bytes(scene: Scene) -> int:
    # Twice the image: the encoder keeps its compressed rows beside it.
    return scene.image.nbytes + _picture_bytes(scene)


def _picture_bytes(scene: Scene) -> int:
    return scene.image.nbytes + scene.foreground.nbytes
