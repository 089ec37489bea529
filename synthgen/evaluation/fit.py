"""Fitting a detector on the normal images of a source, and remembering which they were."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.detectors.choice import DetectorChoice
from synthgen.errors import InputError, require_package
from synthgen.runtime.devices import chosen_device
from synthgen.runtime.progress import Stages, silent
from synthgen.sources.base import Source

if TYPE_CHECKING:
    from synthgen.detectors.base import Detector
    from synthgen.evaluation.test_set import NormalPictures, Pictures
    from synthgen.sources.records import RejectedFile

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
    seed: int = 0,
    progress: Stages = silent,
) -> FittedDetector:
    """Fit a detector on normal images, and save it to the directory ``out``, if one is given.

    ``source`` is a folder, URL or data set, ``builtin``, a source, or a directory of shards, for the normal
    images of its plan that no sample is judged by; ``normals`` is where these lie now, if not where it found
    them. ``seed`` decides everything random. Raises InputError for what cannot be used, RunError where
    fitting or writing fails.
    """
    choice = DetectorChoice(method) if isinstance(method, str) else method
    directory = None if out is None else _free_directory(str(out))
    detector = choice.make()
    moved_to = None if normals is None else str(normals)
    pictures = normal_pictures(source if isinstance(source, Source) else str(source), categories, moved_to)
    read = read_normals(pictures, detector, "normal images", progress)
    fit_on(detector, read, seed, choice.method, progress)
    if directory:
        _save(detector, directory, read.sha256s)
    return FittedDetector(detector, len(read), read.rejected, read.notes)


def load_detector(directory: str | Path, device: str = "auto") -> "Detector":
    """A detector as `fit_detector` saved it. Raises InputError where there is none of this version."""
    require_package("safetensors", "detectors", "a detector")
    from synthgen.detectors.registry import load_detector as load

    return load(Path(directory), chosen_device(device))


def read_fitted_on(directory: Path) -> frozenset[str] | None:
    """sha256 of the images that a detector was fitted on; None where its directory does not say."""
    path = directory / FITTED_ON
    try:
        return frozenset(json.loads(path.read_bytes())["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); fit the detector again") from error


def read_normals(pictures: "Pictures", detector: "Detector", what: str, progress: Stages) -> "NormalPictures":
    """The normal images at the detector's size. Raises InputError where none can be used."""
    from synthgen.evaluation.test_set import NormalPictures

    with progress(f"reading {what}", "images") as report:
        return NormalPictures(pictures, detector.settings.image_size, report)


def fit_on(detector: "Detector", normals: "NormalPictures", seed: int, what: str, progress: Stages) -> None:
    """Fit as a stage of its own."""
    with progress(f"fitting {what}", "steps") as report:
        detector.fit(normals, seed, report)


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


def _free_directory(out: str) -> Path:
    """See that a detector can be written there, before time is spent on it."""
    from synthgen.detectors.common.saved import BACKBONE, RECORD, STATE
    from synthgen.storage.whole_file import PARTIAL_SUFFIX

    if "://" in out:
        raise InputError(f"{out}: is a URL; a detector is written to a directory of this machine")
    directory = Path(out)
    try:
        if directory.exists() and not directory.is_dir():
            raise InputError(f"{out}: is a file; a detector is written to a directory")
        names = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
        if RECORD in names:
            raise InputError(f"{out}: holds a fitted detector already; choose another --out, or remove it")
        ours = {STATE, BACKBONE, FITTED_ON}
        if other := sorted(name for name in names - ours if not name.endswith(PARTIAL_SUFFIX)):
            raise InputError(f"{out}: holds {other[0]}, which is no part of a detector; choose another --out")
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be written to ({error.strerror}); choose another --out") from error
    return directory


def _save(detector: "Detector", directory: Path, sha256s: Sequence[str]) -> None:
    from synthgen.detectors.registry import save_detector
    from synthgen.storage.output import OutputDirectory, explained

    with explained(str(directory)):
        OutputDirectory(str(directory)).write(FITTED_ON, json.dumps({"sha256": sorted(sha256s)}).encode())
    save_detector(detector, directory)
