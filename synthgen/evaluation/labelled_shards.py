"""Our own shards as a test set: what was made of held-out images, for detectors fitted on the others."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from pydantic import ValidationError

from synthgen.config.validation import first_fault
from synthgen.errors import InputError, RunError
from synthgen.evaluation.test_set import LabelledDataset, Pictures, TestSet
from synthgen.images.decode import decode
from synthgen.images.pixels import Pixels
from synthgen.images.prepare import prepare
from synthgen.pipeline.file_index import FileIndex
from synthgen.pipeline.image_store import PlanLibrary
from synthgen.pipeline.paired_normals import moved_files
from synthgen.plan.plan import Plan
from synthgen.sample import Facts
from synthgen.shards.mark import Mark
from synthgen.shards.reader import open_directory, read_marks, read_plan
from synthgen.sources.base import TestImage
from synthgen.storage.byte_ranges import ByteRanges
from synthgen.storage.pinned import pinned_bytes
from synthgen.storage.root import Root, chosen

TILES_TO_FIT = 8
"""Tiles of each normal image that a detector is fitted on, where the samples are tiles."""


class _Place(NamedTuple):
    shard: str
    offset: int
    size: int


class ShardDataset(LabelledDataset):
    """A directory that ``synthgen generate`` wrote: its plan names the normal images to fit on.

    Only samples of held-out normal images are judged, so that none is judged that was fitted on. What is not
    paired has no labels of its pixels. ``source`` is where the plan's normal images lie now, if not where it
    found them.
    """

    layout = "shards"

    def __init__(self, url: str, source: str | None = None) -> None:
        self._url, self._source = url, source
        directory = open_directory(url)
        self._plan = read_plan(directory)
        self._marks = read_marks(directory)
        self._bytes = ByteRanges(directory.url)
        if not self._marks:
            raise InputError(f"{url}: has no finished shard yet; run `synthgen generate` first")

    @property
    def name(self) -> str:
        """The directory's name."""
        return Root(self._url).name

    def categories(self) -> Collection[str]:
        """The categories of the samples. Raises InputError where all are of images that are fitted on."""
        if not self._tests:
            raise InputError(
                f"{self._url}: no sample is of a held-out image, and detectors are fitted on the others; "
                "generate with --set split=held-out"
            )
        return self._tests

    def normals(self, category: str) -> Pictures:
        """The plan's normal images on the side ``fit``, prepared as its samples are."""
        return self.all_normals([category])

    def all_normals(self, categories: Sequence[str] | None) -> Pictures:
        """Those of some categories, or of all. Raises InputError for a category that is not there."""
        fitting = [image for image in self._plan.images if image.split == "train"]
        wanted = chosen(categories, {image.category for image in fitting}, self._url)
        images = {image.path: image.sha256 for image in fitting if image.category in wanted}
        if self._plan.preparation.resize == "tile":
            return _tiles(self._plan, images, self._normal_reader(images))
        source = self._plan.recipe.source
        return Pictures(
            tuple(images),
            self._normal_reader(images),
            lambda _, data: prepare(decode(data, source.max_megapixels), self._plan.preparation),
            self._plan.preparation.depth16,
        )

    def _normal_reader(self, images: Mapping[str, str]) -> Callable[[str], bytes]:
        """Reads normal images by their paths in the plan; ``images`` are their hashes."""
        if self._moved:
            find = self._moved.read
            return lambda path: find(images[path], f"the normal image {path}")

        def read(path: str) -> bytes:
            try:
                return pinned_bytes(self._plan.recipe.source.read, path, images[path])
            except RunError as error:
                raise RunError(
                    f"{error}; where the normal images moved, say where to with --source"
                ) from error

        return read

    @cached_property
    def _moved(self) -> FileIndex | None:
        """The files where the normal images lie now."""
        return None if self._source is None else moved_files(self._plan, self._source)

    def test_set(self, category: str) -> TestSet:
        """The samples of a category, in the order of their indices."""
        return TestSet(category, tuple(self._tests[category]), self._read)

    @cached_property
    def _tests(self) -> dict[str, list[TestImage]]:
        tests: dict[str, list[TestImage]] = {}
        for mark in self._marks:
            for facts in self._facts(mark):
                if facts.split == "held-out":
                    tests.setdefault(facts.category, []).append(self._image(mark, facts))
        return dict(sorted(tests.items()))

    def _facts(self, mark: Mark) -> Iterator[Facts]:
        for number in range(mark.count):
            place = _places(mark, number)["json"]
            try:
                yield Facts.model_validate_json(self._bytes.read(*place))
            except (OSError, EOFError, ValidationError) as error:
                reason = first_fault(error) if isinstance(error, ValidationError) else error
                raise InputError(
                    f"{self._url}/{mark.shard}: the facts of sample {number} cannot be read ({reason}); "
                    "`synthgen verify` says more"
                ) from error

    def _image(self, mark: Mark, facts: Facts) -> TestImage:
        name = f"{mark.shard}/{facts.key}"
        return TestImage(
            path=f"{name}.{self._plan.recipe.output.image_format}",
            defect_type=facts.method if facts.label else "normal",
            anomalous=facts.label == 1,
            mask=f"{name}.mask.png" if facts.paired else None,
            paired=facts.paired,
            normal_sha256=facts.source_sha256,
        )

    def _read(self, path: str) -> bytes:
        """A member by ``<shard>/<key>.<extension>``. Raises OSError."""
        shard, _, member = path.partition("/")
        key, _, extension = member.partition(".")
        mark = self._by_shard[shard]
        place = _places(mark, int(key) - mark.first_index)[extension]
        try:
            return self._bytes.read(*place)
        except EOFError as error:
            raise OSError(f"{place.shard} cannot be read: {error}") from error

    @cached_property
    def _by_shard(self) -> dict[str, Mark]:
        return {mark.shard: mark for mark in self._marks}


def _places(mark: Mark, number: int) -> dict[str, _Place]:
    """Where each member of a shard's sample lies, by its extension."""
    spans = mark.members[number]
    return {
        extension: _Place(mark.shard, offset, size)
        for extension, offset, size in zip(mark.extensions, spans[::2], spans[1::2], strict=True)
    }


def _tiles(plan: Plan, images: Mapping[str, str], read_normal: Callable[[str], bytes]) -> Pictures:
    """Eight tiles of each picture (path to sha256), cut as for samples; named ``PATH#NUMBER``."""
    library = PlanLibrary(plan, read_normal=read_normal)
    parts = {f"{path}#{number}": (path, number) for path in images for number in range(TILES_TO_FIT)}

    def read(name: str) -> bytes:
        path, _ = parts[name]
        return read_normal(path)

    def tile(name: str, _: bytes) -> Pixels:
        path, number = parts[name]
        return library.of_sample(number).scene(images[path]).image

    return Pictures(tuple(parts), read, tile, plan.preparation.depth16)
