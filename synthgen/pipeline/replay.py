"""Rendering a stored sample again from its own record, without recipe or plan."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, get_args

import cv2
import numpy as np
from pydantic import ValidationError

from synthgen.config.validation import first_fault
from synthgen.defect import Composite, cut_down
from synthgen.errors import InputError
from synthgen.images import png
from synthgen.images.decode import MOST_MEGAPIXELS, UnusableImage, decode
from synthgen.images.grid import Cells, cells_from, pixels_of
from synthgen.images.masks import read_mask
from synthgen.images.own import marked
from synthgen.images.pixels import Pixels
from synthgen.images.prepare import prepare, prepare_mask
from synthgen.pipeline.file_index import FileIndex
from synthgen.pipeline.image_store import prepare_texture
from synthgen.pipeline.tiles import cut_scene
from synthgen.plan.record import Record
from synthgen.recipe.recipe import ImageFormat
from synthgen.regions.foreground import apply
from synthgen.regions.large_pictures import foreground_of
from synthgen.regions.mask_folder import read_foreground
from synthgen.runtime.extras import has_extra
from synthgen.sample import SHARE_DIGITS, Facts
from synthgen.scene import Scene
from synthgen.shards.reader import RawSample, read_sample
from synthgen.storage.output import OutputDirectory, explained
from synthgen.synthesizers.registry import SYNTHESIZERS

if TYPE_CHECKING:
    from synthgen.diffusion.model import DiffusionModel
    from synthgen.diffusion.model_files import PinnedModel
    from synthgen.normality.abnormality import Abnormality
    from synthgen.shards.bank import Bank

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Replay:
    """A sample rendered again, beside what is stored: images (H, W, C) and masks (H, W), uint8."""

    facts: Facts
    image: Pixels
    mask: Pixels
    normal: Pixels
    stored_image: Pixels
    stored_mask: Pixels
    lossless: bool
    """Whether the stored image is in a lossless format."""
    abnormality: "Abnormality | None" = None
    """What the defect is like beside good products, seen again; None where the facts say nothing of it, or
    what is normal is not in this user's cache."""

    @property
    def largest_difference(self) -> int:
        """The largest difference between the images, grey levels; above 0 for JPEG."""
        return int(cv2.absdiff(self.image, self.stored_image).max())

    @property
    def identical(self) -> bool:
        """Whether the mask and, in a lossless format, the image equal the stored ones in every pixel."""
        same_mask = np.array_equal(self.mask, self.stored_mask)
        return same_mask and self.same_verdict and (not self.lossless or self.largest_difference == 0)

    @property
    def same_verdict(self) -> bool:
        """Whether the defect is as abnormal as its facts say, as far as that was seen again."""
        stored, found = self.facts.abnormality, self.abnormality
        return not (stored and found) or round(found.share, SHARE_DIGITS) == stored.share

    def write(self, out: str | Path) -> None:
        """Write image, mask and normal image as PNG to a directory, which is made where it is not there."""
        directory = OutputDirectory(str(out))
        directory.create()
        with explained(directory.url):
            for name, pixels in (("png", self.image), ("mask.png", self.mask), ("normal.png", self.normal)):
                directory.write(f"{self.facts.key}.{name}", marked(png.encode(pixels)))

    def line(self) -> str:
        """What came of it, in one line."""
        what = f"{self.facts.key} ({self.facts.method}, {self.facts.outcome})"
        if not self.same_verdict and self.abnormality and self.facts.abnormality:
            return (
                f"{what}: {self.abnormality.share:.1%} of it is beyond normal, and the facts say "
                f"{self.facts.abnormality.share:.1%}"
            )
        if not self.identical:
            return f"{what}: differs from the stored sample, by up to {self.largest_difference} grey levels"
        if self.lossless:
            return f"{what}: identical"
        return f"{what}: mask identical; the stored JPEG is within {self.largest_difference} grey levels"


class _RecordLibrary:
    """The library of one record: everything is prepared as the record says."""

    def __init__(self, facts: Facts, record: Record, files: FileIndex) -> None:
        self._facts, self._record, self._files = facts, record, files

    def scene(self, sha256: str) -> Scene:
        record = self._record
        own = sha256 == self._facts.source_sha256
        what = f"the normal image {self._facts.source_path}" if own else "another normal image"
        pixels = prepare(decode(self._files.read(sha256, what), MOST_MEGAPIXELS), record.preparation)
        if record.foreground_mask_sha256 and own:
            data = self._files.read(record.foreground_mask_sha256, "the foreground mask")
            mask = read_foreground(data, f"of {self._facts.source_path}", MOST_MEGAPIXELS)
            foreground = prepare_mask(mask, record.preparation)
        else:
            found = foreground_of if record.preparation.resize == "tile" else apply
            foreground = found(record.foreground, pixels)
        product_type = record.foreground.product_type
        scene = Scene(sha256, self._facts.category, product_type, pixels, foreground, self)
        tile = self._facts.tile if own else record.other_tiles.get(sha256)
        return cut_scene(scene, tile, record.preparation.size) if tile else scene

    def texture(self, sha256: str, shape: tuple[int, int, int]) -> Pixels:
        return prepare_texture(self._files.read(sha256, "a texture"), shape)

    def model(self, sha256: str, device: str) -> "DiffusionModel":
        return self._files.model(sha256, device)

    def bank_picture(self, fingerprint: str, index: int) -> Pixels:
        return self._files.bank(fingerprint).read(index).pixels

    def pinned_model(self, name: str) -> "PinnedModel":
        raise NotImplementedError("a replay draws nothing")

    def bank(self, name: str) -> "Bank":
        raise NotImplementedError("a replay draws nothing")

    def peers(self, category: str) -> Sequence[str]:
        raise NotImplementedError("a replay draws nothing")

    def textures(self, collection: str) -> Sequence[str]:
        raise NotImplementedError("a replay draws nothing")


def replay(shard: str | Path, key: str, sources: Sequence[str | Path] = (), device: str = "cpu") -> Replay:
    """Render a stored sample again, from nothing but its own record and the files that it names.

    ``shard`` is the path or URL of the tar, ``sources`` are folders, shards or models in which the normal
    images and all else are found by their hashes. Raises InputError where the sample, its record or a file is
    missing.
    """
    return render_again(read_sample(shard, key), FileIndex([str(source) for source in sources]), device)


def render_again(stored: RawSample, files: FileIndex, device: str = "cpu") -> Replay:
    """Render a stored sample again. Raises InputError where its record or its files are missing."""
    try:
        facts = Facts.model_validate_json(stored.members["json"])
        record = Record.model_validate_json(facts.params)
    except (KeyError, ValidationError) as error:
        reason = first_fault(error) if isinstance(error, ValidationError) else f"no {error}"
        raise InputError(
            f"sample {stored.key}: holds no record that this version can replay ({reason})"
        ) from error
    scene = _RecordLibrary(facts, record, files).scene(facts.source_sha256)
    image, mask, abnormality = scene.image, np.zeros(scene.image.shape[:2], np.uint8), None
    if facts.label:
        synthesizer = SYNTHESIZERS[facts.method]
        params = synthesizer.params_type.model_validate(record.drawn)
        [defect] = synthesizer.make([scene], [params], device)
        result = synthesizer.compose(scene, defect)
        if record.kept_cells:
            result = cut_down(result, pixels_of(_kept(record.kept_cells, result.box, stored.key), result.box))
        image, mask = result.image, result.mask
        abnormality = _seen_again(record, result, files, device)
    extension = next(name for name in get_args(ImageFormat) if name in stored.members)
    return Replay(
        facts=facts,
        image=image,
        mask=mask,
        normal=scene.image,
        stored_image=_decoded(stored, extension, decode).astype(np.uint8, copy=False),
        stored_mask=np.where(_decoded(stored, "mask.png", read_mask), np.uint8(255), np.uint8(0)),
        lossless=extension != "jpg",
        abnormality=abnormality,
    )


def _seen_again(record: Record, result: Composite, files: FileIndex, device: str) -> "Abnormality | None":
    if record.normality is None or not has_extra("detectors"):
        return None
    from synthgen.normality.examination import Subject, examine
    from synthgen.pipeline.normal_memory import kept_memory

    memory = kept_memory(record.normality)
    if memory is None:
        return None
    network = files.shelf.cell_network(device)
    subject = Subject(memory.to(network.device), result.image, result.mask, result.box)
    return examine(network, [subject])[0].abnormality


def _kept(text: str, box: tuple[int, int, int, int], key: str) -> Cells:
    try:
        return cells_from(text, box)
    except ValueError as error:
        raise InputError(f"sample {key}: its kept_cells do not fit its defect ({error})") from error


def _decoded(stored: RawSample, member: str, read: Callable[[bytes], T]) -> T:
    try:
        return read(stored.members[member])
    except UnusableImage as error:
        raise InputError(f"sample {stored.key}: {member} cannot be used: {error}") from error
