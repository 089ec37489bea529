"""A detector's calibration: its threshold and what it finds, as a file in its directory and in words."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from synthgen.config.model import FrozenModel
from synthgen.config.validation import first_fault
from synthgen.errors import InputError
from synthgen.evaluation.conformal import Threshold, counted
from synthgen.evaluation.recall import Recall
from synthgen.storage.output import OutputDirectory, explained

CALIBRATION = "calibration.json"
INTERVALS = "The intervals count as if all samples of an image were found or missed together."

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Calibration(FrozenModel):
    """Above which score a product is NG, what that promises, and what share of defects to expect above it."""

    calibration_version: Literal[1] = 1
    detector_sha256: Digest | None
    """Of the record in the detector's directory; None for a detector that was not in one."""
    asked: Annotated[float, Field(gt=0, lt=1)]
    """Share of false alarms that was asked for."""
    threshold: Threshold
    images_sha256: list[Digest]
    """Of the held-out normal images, sorted."""
    anomalies: str | None = None
    """The recipe, or the directory of shards, whose defects were looked at; None for a threshold alone."""
    recalls: list[Recall] = Field([])
    """At this threshold."""
    notes: list[str] = Field([])
    """What a person should know of it, a sentence each."""

    def __str__(self) -> str:
        """The threshold and the table of recalls, for people."""
        said = f"threshold {self.threshold.value:.6g}: {self.threshold}"
        if not self.recalls:
            return said
        images = counted(self.recalls[0].images)
        return f"{said}\n\ndefects found, {self.anomalies} on {images}:\n{_table(self.recalls)}\n{INTERVALS}"


def record_sha256(directory: Path) -> str:
    """The hash that says which detector a directory holds."""
    from synthgen.detectors.common.saved import RECORD

    return sha256((directory / RECORD).read_bytes()).hexdigest()


def write_calibration(calibration: Calibration, directory: Path) -> None:
    """Write a calibration beside its detector, over one that is there. Raises RunError where that fails."""
    with explained(str(directory / CALIBRATION)):
        content = f"{calibration.model_dump_json(indent=1)}\n".encode()
        OutputDirectory(str(directory)).write(CALIBRATION, content)


def read_calibration(directory: Path) -> Calibration | None:
    """The calibration of the detector in a directory; None where there is none.

    Raises InputError for one that cannot be read or is of another detector.
    """
    path = directory / CALIBRATION
    advice = "run `synthgen detect calibrate` again, or remove the file"
    try:
        found = Calibration.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {advice}") from error
    except ValidationError as error:
        raise InputError(
            f"{path}: is damaged, or of another version ({first_fault(error)}); {advice}"
        ) from error
    if found.detector_sha256 != record_sha256(directory):
        raise InputError(f"{path}: is of another detector than the one beside it; {advice}")
    return found


def _table(recalls: Sequence[Recall]) -> str:
    """A line for each group of samples."""
    rows = [("", "recall", "95 % interval", "samples", "images")]
    for each in recalls:
        interval = f"{each.low:.2f} – {each.high:.2f}"
        rows.append((_group(each), f"{each.value:.2f}", interval, str(each.samples), str(each.images)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return "\n".join(lines)


def _group(recall: Recall) -> str:
    """Which samples these are, with their range in words."""
    if recall.range is None:
        return recall.name if recall.by == "all" else f"{recall.by} {recall.name}"
    low, high = recall.range
    if recall.by == "size":
        return f"size {recall.name}, {100 * low:.2g} – {100 * high:.2g} % of the image"
    return f"contrast {recall.name}, {low:.0f} – {high:.0f} grey levels"
