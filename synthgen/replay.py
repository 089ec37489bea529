"""Rendering a stored sample again from its own record, without recipe or plan."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import cv2
import numpy as np
from pydantic import ValidationError

from synthgen.diffusion.model_files import digest as model_digest
from synthgen.diffusion.model_files import is_model, model_directory
from synthgen.errors import InputError
from synthgen.images import decode, prepare, prepare_mask
from synthgen.library import load_pinned, prepare_texture
from synthgen.record import Record
from synthgen.regions.foreground import apply
from synthgen.sample import Facts
from synthgen.scene import Pixels, Scene
from synthgen.shards.reader import PLAN_NAME, RawSample
from synthgen.sources import BuiltinSource, WebDatasetSource
from synthgen.sources.builtin import Photograph
from synthgen.sources.detect import source_for
from synthgen.sources.files import Root
from synthgen.synthesizers import METHODS

if TYPE_CHECKING:
    from synthgen.diffusion.model import DiffusionModel
    from synthgen.diffusion.model_files import PinnedModel
    from synthgen.shards.bank import Bank


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

    @property
    def largest_difference(self) -> int:
        """The largest difference between the images, grey levels; above 0 for JPEG."""
        return int(cv2.absdiff(self.image, self.stored_image).max())

    @property
    def identical(self) -> bool:
        """Whether the mask and, in a lossless format, the image equal the stored ones in every pixel."""
        same_mask = np.array_equal(self.mask, self.stored_mask)
        return same_mask and (not self.lossless or self.largest_difference == 0)


class FileIndex:
    """Files by the sha256 of their bytes: below some folders, in shards, or among the built-in ones."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls
        self._readers: dict[str, Callable[[], bytes]] = {}
        self._models: dict[tuple[str, str], DiffusionModel] = {}
        self._banks: dict[str, Bank] = {}
        for url in urls:
            if is_model(Path(url)):
                continue
            source = source_for(url)
            if isinstance(source, WebDatasetSource):
                # A bank of whole images holds no normal one.
                with suppress(InputError) if Root(url).is_file(PLAN_NAME) else nullcontext():
                    self._add_all([entry.path for entry in source.entries()], source.read)
            else:
                root = Root(url)
                self._add_all(root.images(), root.read)

    def holds(self, digest: str) -> bool:
        """Whether a file below the folders or in the shards has this hash."""
        return digest in self._readers

    def read(self, digest: str, what: str) -> bytes:
        """The bytes of a file. Raises InputError where no file has this hash."""
        if digest not in self._readers:
            builtin = BuiltinSource(categories=list(get_args(Photograph)))
            self._add_all([entry.path for entry in builtin.entries()], builtin.read)
        if digest not in self._readers:
            where = f"below {', '.join(self._urls)}" if self._urls else "among the built-in photographs"
            raise InputError(
                f"no file with sha256 {digest[:16]} ({what}) {where}; give the folder it lies in with "
                "--source (it can be given several times)"
            )
        return self._readers[digest]()

    def model(self, digest: str, device: str) -> "DiffusionModel":
        """A diffusion model, loaded once. Raises InputError where no directory given is the one."""
        if (digest, device) not in self._models:
            self._models[digest, device] = load_pinned(self._model_directory(digest), digest, device)
        return self._models[digest, device]

    def bank(self, fingerprint: str) -> "Bank":
        """The bank that a plan made, opened once. Raises InputError where no directory given is the one."""
        from synthgen.shards.bank import open_bank

        if fingerprint not in self._banks:
            opened = (open_bank(url) for url in self._urls if Root(url).is_file(PLAN_NAME))
            self._banks.update((bank.pinned.fingerprint, bank) for bank in opened)
        if fingerprint not in self._banks:
            raise InputError(
                f"no bank with fingerprint {fingerprint[:16]} among the sources; give its directory by "
                "--source"
            )
        return self._banks[fingerprint]

    def _model_directory(self, digest: str) -> Path:
        for place in (*map(Path, self._urls), model_directory("builtin")):
            if is_model(place) and model_digest(place) == digest:
                return place
        raise InputError(
            f"no diffusion model with sha256 {digest[:16]} among the sources; give its directory by --source"
        )

    def _add_all(self, paths: Sequence[str], read: Callable[[str], bytes]) -> None:
        for path in paths:
            # What cannot be read may not be needed; if it is, its absence is told.
            with suppress(OSError):
                self._readers.setdefault(sha256(read(path)).hexdigest(), partial(read, path))


class _RecordLibrary:
    """The library of one record: everything is prepared as the record says."""

    def __init__(self, facts: Facts, record: Record, files: FileIndex) -> None:
        self._facts, self._record, self._files = facts, record, files

    def scene(self, sha256: str) -> Scene:
        record = self._record
        own = sha256 == self._facts.source_sha256
        what = f"the normal image {self._facts.source_path}" if own else "another normal image"
        pixels = prepare(decode(self._files.read(sha256, what)), record.preparation)
        if record.foreground_mask_sha256 and own:
            mask = decode(self._files.read(record.foreground_mask_sha256, "the foreground mask"))
            foreground = prepare_mask(mask, record.preparation)
        else:
            foreground = apply(record.foreground, pixels)
        return Scene(sha256, self._facts.category, record.foreground.kind, pixels, foreground, self)

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


def replay(stored: RawSample, files: FileIndex, device: str = "cpu") -> Replay:
    """Render a stored sample again. Raises InputError where its record or its files are missing."""
    try:
        facts = Facts.model_validate_json(stored.members["json"])
        record = Record.model_validate_json(facts.params)
    except (KeyError, ValidationError) as error:
        raise InputError(
            f"sample {stored.key}: holds no record that this version can replay ({error})"
        ) from error
    scene = _RecordLibrary(facts, record, files).scene(facts.source_sha256)
    image, mask = scene.image, np.zeros(scene.image.shape[:2], np.uint8)
    if facts.label:
        synthesizer = METHODS[facts.method]
        params = synthesizer.params_type.model_validate(record.drawn)
        [defect] = synthesizer.make([scene], [params], device)
        result = synthesizer.compose(scene, defect)
        image, mask = result.image, result.mask
    extension = next(name for name in ("png", "jpg", "webp") if name in stored.members)
    return Replay(
        facts=facts,
        image=image,
        mask=mask,
        normal=scene.image,
        stored_image=_decoded(stored.members[extension]),
        stored_mask=_decoded(stored.members["mask.png"])[..., 0],
        lossless=extension != "jpg",
    )


def _decoded(data: bytes) -> Pixels:
    return decode(data).astype(np.uint8, copy=False)
