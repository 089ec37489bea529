"""Scores of images by a fitted detector."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from synthgen.errors import InputError
from synthgen.evaluation.fit import load_detector
from synthgen.runtime.progress import Progress, Stages, silent
from synthgen.storage.place import local_path

if TYPE_CHECKING:
    from synthgen.detectors.base import Detector
    from synthgen.evaluation.conformal import Threshold
    from synthgen.evaluation.protocol import Map
    from synthgen.sources.records import RejectedFile
    from synthgen.storage.root import Root


@dataclass(frozen=True)
class Scores:
    """The scores of some images; higher is more anomalous."""

    scores: dict[str, float] = field(default_factory=dict)
    """By the image's path below the folder."""
    rejected: "list[RejectedFile]" = field(default_factory=list)
    """The images that could not be scored."""
    strays: "list[RejectedFile]" = field(default_factory=list)
    """What else lies there and cannot be looked at."""
    notes: list[str] = field(default_factory=list)
    """What a person should know of the folder's other files, a sentence each."""
    threshold: "Threshold | None" = None
    """Above which images are NG; None for a detector that is not calibrated."""

    @property
    def verdicts(self) -> "dict[str, Literal['OK', 'NG']]":
        """By the image's path, too; empty for a detector that is not calibrated."""
        threshold = self.threshold
        if threshold is None:
            return {}
        return {path: "NG" if threshold.is_ng(score) else "OK" for path, score in self.scores.items()}

    @property
    def ng(self) -> int:
        """How many images are NG."""
        return sum(verdict == "NG" for verdict in self.verdicts.values())

    def csv(self) -> str:
        """The scores as CSV with the columns path, score and, for a calibrated detector, verdict."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        verdicts = self.verdicts
        writer.writerow(("path", "score", *(["verdict"] if self.threshold else [])))
        for path, score in self.scores.items():
            writer.writerow((path, f"{score:.9g}", *([verdicts[path]] if verdicts else [])))
        return text.getvalue()


def score(
    detector: "Detector | str | Path",
    images: str | Path,
    maps: str | Path | None = None,
    *,
    device: str = "auto",
    progress: Stages = silent,
) -> Scores:
    """Score an image, or all images of a folder or URL.

    ``detector`` is a fitted one or its directory, whose calibration, if it has one, says which images are
    NG. In the directory ``maps``, if one is given, each image's anomaly map (H, W) float32 is written as
    ``<image's path>.npy``. Raises InputError where there is no image and for a damaged calibration, RunError
    for scores that are not finite.
    """
    fitted = load_detector(detector, device) if isinstance(detector, str | Path) else detector
    found = Scores(threshold=_threshold(detector) if isinstance(detector, str | Path) else None)
    root, paths = _images(str(images), found)
    keep_map = _map_writer(str(maps)) if maps else None
    with progress("scoring", "images") as report:
        for path, value, scored in _each(fitted, root, paths, found.rejected, report):
            found.scores[path] = value
            if keep_map:
                keep_map(path, scored)
    return found


def _threshold(directory: str | Path) -> "Threshold | None":
    from synthgen.evaluation.calibration import read_calibration

    calibration = read_calibration(local_path(directory))
    return calibration.threshold if calibration else None


def _images(url: str, scores: Scores) -> "tuple[Root, list[str]]":
    """All images below a folder, or the one file; what is passed over is added to ``scores``."""
    from synthgen.sources.records import RejectedFile
    from synthgen.storage.listing import formats_note, found_instead
    from synthgen.storage.root import LOOKED_FOR, Root, is_image, root_of_file

    root = Root(url)
    if root.is_file():
        folder, name = root_of_file(url)
        return folder, [name]
    root.require_folder()
    listing = root.listing()
    if not listing.images:
        raise InputError(f"{url}: has no image; {LOOKED_FOR}{found_instead(listing)}")
    scores.notes.extend(formats_note(listing.other_formats))
    for path, reason in listing.strays:
        among = scores.rejected if is_image(path) else scores.strays
        among.append(RejectedFile(path=path, reason=reason))
    return root, listing.images


def _each(
    detector: "Detector",
    root: "Root",
    paths: Sequence[str],
    rejected: "list[RejectedFile]",
    progress: Progress,
) -> "Iterator[tuple[str, float, Map]]":
    """Path, score and map of every image; what cannot be used is added to ``rejected``."""
    from synthgen.evaluation.protocol import BATCH, predict, require_finite
    from synthgen.evaluation.test_set import square
    from synthgen.images.decode import UnusableImage, decode
    from synthgen.sources.records import RejectedFile

    side = detector.settings.image_size
    for first in range(0, len(paths), BATCH):
        usable = {}
        for path in paths[first : first + BATCH]:
            try:
                usable[path] = square(decode(root.read(path)), side, detector.depth16)
            except (UnusableImage, OSError) as error:
                rejected.append(RejectedFile(path=path, reason=str(error)))
        predictions = predict(detector, list(usable.values())) if usable else []
        for path, (value, scored) in zip(usable, predictions, strict=True):
            require_finite(value, scored, path)
            yield path, value, scored
        progress(min(first + BATCH, len(paths)), len(paths))


def _map_writer(out: str) -> "Callable[[str, Map], None]":
    """Writes maps exactly, without a scale that a reader would have to know."""
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
