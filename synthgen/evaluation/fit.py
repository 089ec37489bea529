"""Fitting a detector on the normal images of a source, and remembering which they were."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.detectors.choice import DetectorChoice
from synthgen.errors import InputError
from synthgen.evaluation.fit_checkpoint import CHECKPOINT, FitCheckpoint, fit_of
from synthgen.evaluation.learning import PRODUCT, anomalies_for, recipe_of, said_of
from synthgen.runtime.devices import chosen_device
from synthgen.runtime.extras import require_extra
from synthgen.runtime.progress import Stages, silent
from synthgen.sources.base import Source
from synthgen.storage.place import is_url, local_path

if TYPE_CHECKING:
    from synthgen.detectors.base import Detector
    from synthgen.evaluation.test_set import NormalPictures, Pictures
    from synthgen.recipe.recipe import Recipe
    from synthgen.sources.records import RejectedFile
    from synthgen.sources.survey import OnBadImage

FITTED_ON = "images.json"
"""sha256 of the images that a detector was fitted on, in its directory."""


@dataclass(frozen=True)
class FittedDetector:
    """A detector, and what it was fitted on."""

    detector: "Detector"
    images: int
    """How many images it was fitted on."""
    rejected: "Sequence[RejectedFile]"
    """The source's files that could not be used."""
    notes: Sequence[str]
    """What a person should know of its other files, a sentence each."""


def fit_detector(
    method: str | DetectorChoice,
    source: str | Path | Source,
    out: str | Path | None = None,
    *,
    normals: str | Path | None = None,
    categories: Sequence[str] | None = None,
    recipe: "str | Path | Recipe | None" = None,
    seed: int = 0,
    on_bad_image: "OnBadImage" = "fail",
    progress: Stages = silent,
) -> FittedDetector:
    """Fit a detector on normal images, and save it to the directory ``out``, if one is given.

    ``source`` is a folder, URL or data set, ``builtin``, a source, or a directory of shards, for the normal
    images of its plan that no sample is judged by; ``normals`` is where these lie now, if not where it found
    them. ``recipe`` makes the anomalies, of these images, that a method learns from which does; without one
    it takes its default. ``seed`` decides everything random. A fit that was interrupted while it trained goes
    on when it is called again in the same way. An image that cannot be used is an InputError or, by
    ``on_bad_image``, left out. Raises InputError for what else cannot be used, RunError where fitting or
    writing fails.
    """
    choice = DetectorChoice(method) if isinstance(method, str) else method
    require_extra("detectors", "a detector")
    with nullcontext() if out is None else _free_directory(str(out)) as directory:
        detector = choice.make()
        made_by = recipe_of(detector, recipe)
        place = source if isinstance(source, Source) else str(source)
        pictures = normal_pictures(place, categories, None if normals is None else str(normals))
        read = read_normals(pictures, detector, "normal images", progress, on_bad_image=on_bad_image)
        category = categories[0] if categories and len(categories) == 1 else PRODUCT
        fit = fit_of(detector, read, made_by, seed, category)
        checkpoint = FitCheckpoint(directory, fit) if directory else None
        fit_on(detector, read, made_by, seed, category, progress=progress, checkpoint=checkpoint)
        if directory and checkpoint:
            _save(detector, directory, read.sha256s)
            checkpoint.remove()
    notes = [*read.notes, *said_of(detector, made_by, recipe), *detector.notes]
    return FittedDetector(detector, len(read), read.rejected, notes)


def load_detector(directory: str | Path, device: str = "auto") -> "Detector":
    """A detector as `fit_detector` saved it. Raises InputError where there is none of this version."""
    require_extra("detectors", "a detector")
    from synthgen.detectors.registry import load_detector as load

    return load(local_path(directory), chosen_device(device))


def read_fitted_on(directory: Path) -> frozenset[str] | None:
    """sha256 of the images that a detector was fitted on; None where its directory does not say."""
    path = directory / FITTED_ON
    try:
        return frozenset(json.loads(path.read_bytes())["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); fit the detector again") from error


def read_normals(
    pictures: "Pictures",
    detector: "Detector",
    what: str,
    progress: Stages,
    *,
    on_bad_image: "OnBadImage",
    sharing: int = 1,
) -> "NormalPictures":
    """The normal images at the detector's size; ``sharing`` such readers share the memory.

    Raises InputError as `NormalPictures` does.
    """
    from synthgen.evaluation.test_set import CACHE_BYTES, NormalPictures

    side, most = detector.settings.image_size, CACHE_BYTES // sharing
    with progress(f"reading {what}", "images") as report:
        return NormalPictures(pictures, side, report, on_bad_image=on_bad_image, cache_bytes=most)


def fit_on(
    detector: "Detector",
    normals: "NormalPictures",
    recipe: "Recipe | None",
    seed: int,
    category: str,
    *,
    progress: Stages,
    checkpoint: FitCheckpoint | None = None,
) -> None:
    """Fit as a stage of its own; ``category`` is the product's name, for models that know several."""
    anomalies = anomalies_for(normals, recipe, seed, category, progress)
    with progress(f"fitting {detector.method} on {category}, seed {seed}", "steps") as report:
        detector.fit(normals, anomalies, seed, report, checkpoint)
    detector.depth16 = normals.depth16


def normal_pictures(
    source: str | Source, categories: Sequence[str] | None, moved_to: str | None = None
) -> "Pictures":
    """The normal images to fit on: all of a source, or those for training of a plan of shards.

    ``moved_to`` is where the latter lie now. Raises InputError where it is given with anything but shards.
    """
    from synthgen.evaluation.labelled_shards import ShardDataset
    from synthgen.evaluation.test_set import pictures_of
    from synthgen.shards.numbering import PLAN_NAME
    from synthgen.sources.named import named_source
    from synthgen.storage.root import Root

    if isinstance(source, str) and source != "builtin" and Root(source).is_file(PLAN_NAME):
        return ShardDataset(source, moved_to).all_normals(categories)
    if moved_to is not None:
        place = source if isinstance(source, str) else source.location
        raise InputError(
            f"source {moved_to}: is for the normal images of shards, and {place} is no directory of shards; "
            "leave it out"
        )
    return pictures_of(named_source(source, categories) if isinstance(source, str) else source)


@contextmanager
def _free_directory(out: str) -> Iterator[Path]:
    """See that a detector can be written there, before time is spent on it, and keep others out."""
    from synthgen.storage.output import OutputDirectory

    if is_url(out):
        raise InputError(f"{out}: is a URL; a detector is written to a directory of this machine")
    directory, output = local_path(out), OutputDirectory(out)
    output.create()
    with output.held(f"{out}: another detector is being fitted there; choose another --out"):
        _require_free(out, {path.name for path in directory.iterdir()})
        yield directory


def _require_free(out: str, names: set[str]) -> None:
    """Raise InputError where a directory holds more than what is left of a fit that was interrupted."""
    from synthgen.detectors.common.saved import BACKBONE, RECORD, STATE
    from synthgen.storage.lock import NAME
    from synthgen.storage.whole_file import PARTIAL_SUFFIX

    if RECORD in names:
        raise InputError(f"{out}: holds a fitted detector already; choose another --out, or remove it")
    ours = {STATE, BACKBONE, FITTED_ON, CHECKPOINT, NAME}
    if other := sorted(name for name in names - ours if not name.endswith(PARTIAL_SUFFIX)):
        raise InputError(f"{out}: holds {other[0]}, which is no part of a detector; choose another --out")


def _save(detector: "Detector", directory: Path, sha256s: Sequence[str]) -> None:
    from synthgen.detectors.registry import save_detector
    from synthgen.storage.output import OutputDirectory, explained

    with explained(str(directory)):
        OutputDirectory(str(directory)).write(FITTED_ON, json.dumps({"sha256": sorted(sha256s)}).encode())
    save_detector(detector, directory)
