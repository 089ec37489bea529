"""A fitted detector's directory: what it is, what it has learned, and its backbone's weights."""

from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import ValidationError
from torch import Tensor

from synthgen.config.model import FrozenModel
from synthgen.config.validation import first_fault
from synthgen.detectors.base import DetectorSettings, State
from synthgen.detectors.common.backbone import Backbone
from synthgen.detectors.common.backbones import BackboneName
from synthgen.errors import InputError, RunError
from synthgen.storage.whole_file import remove_leftovers, write_whole

RECORD = "detector.json"
STATE = "detector.safetensors"
BACKBONE = "backbone.safetensors"


class DetectorRecord(FrozenModel):
    """What a detector is; the hashes are those of the files beside it."""

    format_version: Literal[1] = 1
    method: str
    settings: dict[str, Any]
    backbone: BackboneName | None
    """None, and no file, for a method without one."""
    backbone_sha256: str | None
    state_sha256: str
    depth16: tuple[int, int] | None = None
    """As a `Detector` has it."""


def write_detector(
    directory: Path,
    method: str,
    settings: DetectorSettings,
    backbone: Backbone | None,
    state: State,
    *,
    depth16: tuple[int, int] | None,
) -> None:
    """Write the record last, so that a directory with a record is whole. Raises RunError where that fails."""
    from safetensors.torch import save

    files = {STATE: save(state)}
    if backbone:
        files[BACKBONE] = save(_weights(backbone))
    record = DetectorRecord(
        method=method,
        settings=settings.model_dump(mode="json"),
        backbone=cast(BackboneName, backbone.name) if backbone else None,
        backbone_sha256=sha256(files[BACKBONE]).hexdigest() if backbone else None,
        state_sha256=sha256(files[STATE]).hexdigest(),
        depth16=depth16,
    )
    files[RECORD] = (record.model_dump_json(indent=1) + "\n").encode()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        remove_leftovers(directory)
        for name in (RECORD, BACKBONE):
            (directory / name).unlink(missing_ok=True)
        for name, content in files.items():
            write_whole(directory / name, content)
    except OSError as error:
        raise RunError(
            f"detector {directory}: cannot be written ({error.strerror}); make room or choose another place"
        ) from error


def read_record(directory: Path) -> DetectorRecord:
    """What the detector in a directory is. Raises InputError where there is none of this version."""
    path = directory / RECORD
    if not path.is_file():
        raise InputError(
            f"detector {directory}: has no {RECORD}; expected a directory that `synthgen detect fit` finished"
        )
    try:
        return DetectorRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(
            f"detector {directory}: {RECORD} is not of this version ({first_fault(error)}); fit it again"
        ) from error


def read_state(directory: Path, record: DetectorRecord) -> State:
    """What the detector has learned. Raises InputError where the files are not those of the record."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    if record.backbone_sha256:
        _require(directory / BACKBONE, record.backbone_sha256)
    content = _require(directory / STATE, record.state_sha256)
    try:
        return load(content)
    except SafetensorError as error:
        raise InputError(f"{directory / STATE}: not readable ({error}); fit the detector again") from error


def _weights(backbone: Backbone) -> dict[str, Tensor]:
    return {
        name: tensor.cpu().contiguous()
        for name, tensor in backbone.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def _require(path: Path, expected: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); fit the detector again") from error
    found = sha256(content).hexdigest()
    if found != expected:
        raise InputError(
            f"{path}: sha256 is {found}, and {RECORD} beside it says {expected}; fit the detector again"
        )
    return content
