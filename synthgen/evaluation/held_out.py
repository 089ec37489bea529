"""What a fitted detector is calibrated by: normal images that it has not seen, and stored samples."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from pydantic import ValidationError

from synthgen.config.validation import first_fault
from synthgen.errors import InputError
from synthgen.evaluation.labelled_shards import ShardDataset
from synthgen.evaluation.test_set import TOO_DEEP, Pictures, TestSet, pictures_of
from synthgen.images.decode import UnusableImage, decode
from synthgen.images.pixels import Decoded, Pixels
from synthgen.images.prepare import prepare
from synthgen.pipeline.image_store import PlanLibrary
from synthgen.plan.plan import Plan
from synthgen.runtime.progress import Stages
from synthgen.sample import Facts
from synthgen.shards.numbering import PLAN_NAME
from synthgen.shards.reader import open_directory, read_plan
from synthgen.sources.base import Source, TestImage
from synthgen.sources.named import named_source
from synthgen.storage.pinned import pinned_bytes
from synthgen.storage.root import Root, chosen


def is_shards(place: str) -> bool:
    """Whether there is a directory that ``synthgen generate`` wrote."""
    return place != "builtin" and Root(place).is_file(PLAN_NAME)


def held_out_pictures(normal: str | Source, categories: Sequence[str] | None) -> Pictures:
    """The normal images of a source, or the held-out ones of a plan of shards, of some categories or of all.

    Of pictures that samples are tiles of, one tile each. Raises InputError where there is none.
    """
    if isinstance(normal, str) and is_shards(normal):
        return _of_plan(read_plan(open_directory(normal)), categories, normal)
    return pictures_of(named_source(normal, categories) if isinstance(normal, str) else normal)


def unseen(
    pictures: Pictures, fitted_on: frozenset[str] | None, place: str, progress: Stages
) -> tuple[Pictures, list[str]]:
    """The pictures whose files were not fitted on, each content once, and a note on what is left out.

    Raises InputError where none remains.
    """
    if fitted_on is None:
        return pictures, ["the detector does not say which images it was fitted on, so all were taken"]
    kept: dict[str, str] = {}
    copies = 0
    with progress("looking for images that were fitted on", "images") as report:
        for number, path in enumerate(pictures.paths, 1):
            content = _content(pictures, path)
            if content not in fitted_on:
                copies += content in kept
                kept.setdefault(content, path)
            report(number, len(pictures.paths))
    total = len(pictures.paths)
    seen = total - copies - len(kept)
    if not kept:
        raise InputError(
            f"{place}: all {seen} normal images were fitted on; give other good pictures, or fit on a "
            "directory of shards, whose plan holds some out"
        )
    notes = [f"{seen} of the {total} images were fitted on and are left out"] if seen else []
    notes += [f"{copies} of the {total} images are copies of others and are left out"] if copies else []
    return replace(pictures, paths=tuple(kept.values())), notes


def _content(pictures: Pictures, path: str) -> str:
    """The sha256 of a file; of one that cannot be read, which whoever decodes it tells, its path."""
    try:
        return sha256(pictures.read(path)).hexdigest()
    except OSError:
        return path


def of_depth(pictures: Pictures, depth16: tuple[int, int] | None) -> Pictures:
    """The pictures, where those of 16 bits cannot be used unless the detector knows their range."""

    def prepared(path: str, data: bytes) -> Decoded:
        pixels = pictures.prepared(path, data)
        if pixels.dtype != np.uint8 and depth16 is None:
            raise UnusableImage(TOO_DEEP)
        return pixels

    return replace(pictures, prepared=prepared)


@dataclass(frozen=True)
class StoredSamples:
    """The held-out samples with defects in a directory of shards, of some categories or of all.

    Raises InputError where there is none, and where one is made of an image that was fitted on.
    """

    name: str
    tests: Sequence[tuple[TestSet, TestImage]]

    @classmethod
    def at(cls, place: str, categories: Sequence[str] | None, fitted_on: Collection[str]) -> "StoredSamples":
        """Those in a directory."""
        dataset = ShardDataset(place)
        sets = [dataset.test_set(each) for each in chosen(categories, dataset.categories(), place)]
        tests = [(each, image) for each in sets for image in each.images if image.anomalous and image.paired]
        if not tests:
            raise InputError(f"{place}: no held-out sample shows a defect with a mask of its own")
        if seen := {image.normal_sha256 for _, image in tests} & set(fitted_on):
            raise InputError(
                f"{place}: {len(seen)} of the normal images that its samples are made of were fitted on; fit "
                "on the directory of shards, which leaves the held-out images out"
            )
        return cls(dataset.name, tests)

    def __len__(self) -> int:
        return len(self.tests)

    def samples(self, side: int) -> Iterator[tuple[Pixels, Facts]]:
        """Each sample's image at (side, side, 3) uint8, and its facts. Raises InputError."""
        for test_set, image in self.tests:
            yield test_set.image(image, side), _facts(test_set, image)


def _facts(test_set: TestSet, image: TestImage) -> Facts:
    path = f"{image.path.rpartition('.')[0]}.json"
    try:
        return Facts.model_validate_json(test_set.read(path))
    except (OSError, ValidationError) as error:
        reason = first_fault(error) if isinstance(error, ValidationError) else error
        raise InputError(f"{path}: cannot be read ({reason}); `synthgen verify` says more") from error


def _of_plan(plan: Plan, categories: Sequence[str] | None, place: str) -> Pictures:
    held_out = [image for image in plan.images if image.split == "held-out"]
    if not held_out:
        raise InputError(
            f"{place}: its plan holds no normal image out; generate with --set source.held_out=0.2, or give "
            "other good pictures"
        )
    wanted = chosen(categories, {image.category for image in held_out}, place)
    images = {image.path: image.sha256 for image in held_out if image.category in wanted}
    source, preparation = plan.recipe.source, plan.preparation
    library = PlanLibrary(plan)

    def prepared(path: str, data: bytes) -> Pixels:
        if preparation.resize == "tile":
            return library.of_sample(0).scene(images[path]).image
        return prepare(decode(data, source.max_megapixels), preparation)

    height, width = preparation.size
    note = (
        f"the threshold is for pictures as the plan of {place} prepares them (resize: {preparation.resize}, "
        f"{width} x {height})"
    )
    return Pictures(
        tuple(images),
        lambda path: pinned_bytes(source.read, path, images[path]),
        prepared,
        preparation.depth16,
        notes=() if preparation.resize == "whole" else (note,),
    )
