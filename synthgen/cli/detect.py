"""What the commands below `synthgen detect` do."""

import csv
import io
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.errors import InputError, RunError, require_package

if TYPE_CHECKING:
    from synthgen.detectors.base import Detector
    from synthgen.detectors.common.backbone import BackboneName
    from synthgen.evaluation.protocol import Map
    from synthgen.evaluation.test_set import NormalPictures, Pictures
    from synthgen.sources.records import RejectedFile
    from synthgen.sources.survey import Progress
    from synthgen.storage.root import Root

BACKBONE: "BackboneName" = "resnet18"
WEIGHTS = "imagenet"
FITTED_ON = "images.json"
"""sha256 of the images that a detector was fitted on, in its directory."""
MAX_TOLD = 10


def fit(options: Namespace) -> int:
    """Fit a detector on normal images."""
    from synthgen.detectors.registry import save_detector

    directory = Path(options.out)
    _require_free(options.out, directory)
    detector = new_detector(options.method, options)
    normals = read_normals(_pictures(options.source, options.categories), detector, "normal images")
    fit_detector(detector, normals, options.seed, options.method)
    _write_fitted_on(directory, normals.sha256s)
    save_detector(detector, directory)
    print(f"{options.out}: {options.method} fitted on {len(normals)} images")
    return 0


def score(options: Namespace) -> int:
    """Write the scores of images as CSV; RunError in the end where some could not be scored."""
    from synthgen.cli.commands import write_file
    from synthgen.cli.progress import counted

    detector = open_detector(options.directory, options.device)
    root, paths = _images(options.images)
    rejected: list[RejectedFile] = []
    keep_map = _map_writer(options.maps) if options.maps else None
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "score"))
    with counted("scoring", "images") as progress:
        for path, value, scored in _scores(detector, root, paths, rejected, progress):
            writer.writerow((path, f"{value:.9g}"))
            if keep_map:
                keep_map(path, scored)
    if options.out:
        write_file(options.out, text.getvalue().encode())
        print(f"{options.out}: {len(paths) - len(rejected)} scores")
    else:
        sys.stdout.write(text.getvalue())
    _tell_skipped(rejected)
    if rejected:
        raise RunError(f"{len(rejected)} of {len(paths)} images could not be scored; the others are written")
    return 0


def new_detector(method: str, options: Namespace) -> "Detector":
    """The detector that the options describe, not fitted yet."""
    require_package("safetensors", "detectors", method)
    from synthgen.config.reader import parse_model
    from synthgen.detectors.registry import DETECTORS, make_detector

    if method not in DETECTORS:
        raise InputError(f"method '{method}' is not known; one of {', '.join(DETECTORS)} is expected")
    settings = parse_model("{}", f"the settings of {method}", DETECTORS[method].settings_type, options.set)
    return make_detector(
        method,
        settings.model_dump(),
        options.backbone or BACKBONE,
        options.weights or WEIGHTS,
        _device(options.device),
    )


def open_detector(directory: str, device: str) -> "Detector":
    """A detector that was fitted before."""
    require_package("safetensors", "detectors", "a detector")
    from synthgen.detectors.registry import load_detector

    return load_detector(Path(directory), _device(device))


def read_normals(pictures: "Pictures", detector: "Detector", what: str) -> "NormalPictures":
    """The normal images at the detector's size; those that cannot be used are told."""
    from synthgen.cli.progress import counted
    from synthgen.evaluation.test_set import NormalPictures

    with counted(f"reading {what}", "images") as progress:
        normals = NormalPictures(pictures, detector.settings.image_size, progress)
    _tell_skipped(normals.rejected)
    return normals


def fit_detector(detector: "Detector", normals: "NormalPictures", seed: int, what: str) -> None:
    """Fit with a progress bar."""
    from synthgen.cli.progress import counted

    with counted(f"fitting {what}", "steps") as progress:
        detector.fit(normals, seed, progress)


def _device(device: str) -> str:
    from synthgen.runtime.devices import require_device

    require_device(device)
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _require_free(out: str, directory: Path) -> None:
    """See that a detector can be written there, before time is spent on it."""
    from synthgen.detectors.common.saved import BACKBONE as BACKBONE_FILE
    from synthgen.detectors.common.saved import RECORD, STATE
    from synthgen.storage.whole_file import PARTIAL_SUFFIX

    if "://" in out:
        raise InputError(f"{out}: is a URL; a detector is written to a directory of this machine")
    try:
        if directory.exists() and not directory.is_dir():
            raise InputError(f"{out}: is a file; --out is the directory of the detector")
        names = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
        if RECORD in names:
            raise InputError(f"{out}: holds a fitted detector already; choose another --out, or remove it")
        ours = {STATE, BACKBONE_FILE, FITTED_ON}
        if other := sorted(name for name in names - ours if not name.endswith(PARTIAL_SUFFIX)):
            raise InputError(f"{out}: holds {other[0]}, which is no part of a detector; choose another --out")
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be written to ({error.strerror}); choose another --out") from error


def _pictures(source: str, categories: list[str] | None) -> "Pictures":
    """The normal images to fit on: all of a source, or those on the side ``fit`` of a plan of shards."""
    from synthgen.evaluation.labelled_shards import ShardDataset
    from synthgen.evaluation.test_set import Pictures
    from synthgen.shards.numbering import PLAN_NAME
    from synthgen.sources import BuiltinSource, Source
    from synthgen.sources.recognise import source_for
    from synthgen.storage.root import Root

    if source == "builtin":
        found: Source = BuiltinSource.model_validate({"categories": categories} if categories else {})
    elif Root(source).is_file(PLAN_NAME):
        return ShardDataset(source).all_normals(categories)
    else:
        found = source_for(source, categories)
    return Pictures(tuple(entry.path for entry in found.entries()), found.read)


def _write_fitted_on(directory: Path, sha256s: Sequence[str]) -> None:
    from synthgen.storage.output import OutputDirectory, explained

    with explained(str(directory)):
        OutputDirectory(str(directory)).write(FITTED_ON, json.dumps({"sha256": sorted(sha256s)}).encode())


def _images(url: str) -> tuple["Root", list[str]]:
    """All images below a folder, or the one file."""
    from synthgen.storage.root import Root

    root = Root(url)
    if root.is_file():
        folder, slash, name = url.rpartition("/")
        return Root(folder + slash or "."), [name]
    root.require_folder()
    paths = root.images()
    if not paths:
        raise InputError(f"{url}: has no image; png, jpg, jpeg, bmp, tif, tiff and webp are looked for")
    return root, paths


def _scores(
    detector: "Detector",
    root: "Root",
    paths: Sequence[str],
    rejected: "list[RejectedFile]",
    progress: "Progress",
) -> Iterator[tuple[str, float, "Map"]]:
    """Path, score and map of every image; what cannot be used is added to ``rejected``."""
    from synthgen.evaluation.protocol import BATCH, predict, require_finite
    from synthgen.evaluation.test_set import square
    from synthgen.images.decode import UnusableImage, decode
    from synthgen.sources.records import RejectedFile

    for first in range(0, len(paths), BATCH):
        usable = {}
        for path in paths[first : first + BATCH]:
            try:
                usable[path] = square(decode(root.read(path)), detector.settings.image_size)
            except (UnusableImage, OSError) as error:
                rejected.append(RejectedFile(path=path, reason=str(error)))
        predictions = predict(detector, list(usable.values())) if usable else []
        for path, (value, scored) in zip(usable, predictions, strict=True):
            require_finite(value, scored, path)
            yield path, value, scored
        progress(min(first + BATCH, len(paths)), len(paths))


def _map_writer(out: str) -> Callable[[str, "Map"], None]:
    """Writes maps (H, W) float32 as ``<image's path>.npy``: exact, and without a scale to be told."""
    import numpy as np

    from synthgen.storage.output import OutputDirectory, explained

    OutputDirectory(out).create()
    directories: dict[str, OutputDirectory] = {}

    def write(path: str, scored: "Map") -> None:
        folder, _, name = path.rpartition("/")
        url = f"{out.rstrip('/')}/{folder}".rstrip("/")
        if url not in directories:
            directories[url] = OutputDirectory(url)
            directories[url].create()
        with explained(url), directories[url].open_for_writing(f"{name}.npy") as file:
            np.save(file, scored)

    return write


def _tell_skipped(rejected: "Sequence[RejectedFile]") -> None:
    from synthgen.config.document import one_line

    for file in rejected[:MAX_TOLD]:
        print(one_line(f"skipped {file.path}: {file.reason}"), file=sys.stderr)
    if len(rejected) > MAX_TOLD:
        print(f"… and {len(rejected) - MAX_TOLD} more", file=sys.stderr)
