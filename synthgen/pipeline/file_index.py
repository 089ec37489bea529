"""Files by the hash of their content, for a replay."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from synthgen.diffusion.model_files import digest as model_digest
from synthgen.diffusion.model_files import is_model, model_directory
from synthgen.errors import InputError
from synthgen.pipeline.image_store import Shelf, load_pinned
from synthgen.shards.numbering import PLAN_NAME
from synthgen.sources.builtin import BuiltinSource, Photograph
from synthgen.sources.recognise import source_for
from synthgen.sources.webdataset import WebDatasetSource
from synthgen.storage.place import local_path
from synthgen.storage.root import Root

if TYPE_CHECKING:
    from synthgen.diffusion.model import DiffusionModel
    from synthgen.shards.bank import Bank


class FileIndex:
    """Files by the sha256 of their bytes: below some folders, in shards, or among the built-in ones."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls
        self._readers: dict[str, Callable[[], bytes]] = {}
        self.shelf = Shelf()
        """Networks that a replay looks through."""
        self._models: dict[tuple[str, str], DiffusionModel] = {}
        self._banks: dict[str, Bank] = {}
        for url in urls:
            if is_model(local_path(url)):
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
                "--source"
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
        for place in (*map(local_path, self._urls), model_directory("builtin")):
            if is_model(place) and model_digest(place) == digest:
                return place
        raise InputError(
            f"no diffusion model with sha256 {digest[:16]} among the sources; give its directory by --source"
        )

    def _add_all(self, paths: Sequence[str], read: Callable[[str], bytes]) -> None:
        for path in paths:
            # What cannot be read may not be needed; if it is, `read` says that it is missing.
            with suppress(OSError):
                self._readers.setdefault(sha256(read(path)).hexdigest(), partial(read, path))
