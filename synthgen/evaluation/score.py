"""Scores of images by a fitted detector."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.errors import InputError
from synthgen.evaluation.fit import load_detector
from synthgen.runtime.progress import Progress, Stages, silent

if TYPE_CHECKING:
    from synthgen.detectors.base import Detector
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

    def csv(self) -> str:
        """The scores as CSV with the columns path and score."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("path", "score"))
        writer.writerows((path, f"{score:.9g}") for path, score in self.scores.items())
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

    ``detector`` is a fitted one or its directory. In the directory ``maps``, if one is given, each image's
    anomaly map (H, W) float32 is written as ``<image's path>.npy``. Raises InputError where there is no
    image, RunError for scores that are not finite.
    """
    fitted = load_detector(detector, device) if isinstance(detector, str | Path) else detector
    found = Scores()
    root, paths = _images(str(images), found)
    keep_map = _map_writer(str(maps)) if maps else None
    with progress("scoring", "images") as report:
        for path, value, scored in _each(fitted, root, paths, found.rejected, report):
            found.scores[path] = value
            if keep_map:
                keep_map(path, scored)
    return found


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
