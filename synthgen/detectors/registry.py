"""All detectors by name: making one, and saving and loading one that was fitted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import torch
from pydantic import ValidationError

from synthgen.detectors.base import Detector
from synthgen.detectors.common.backbone import BackboneName, load_backbone
from synthgen.detectors.common.feature_detector import FeatureDetector
from synthgen.detectors.common.saved import BACKBONE, read_record, read_state, write_detector
from synthgen.detectors.padim import Padim
from synthgen.detectors.patchcore import Patchcore
from synthgen.detectors.simplenet import Simplenet
from synthgen.errors import InputError
from synthgen.runtime.entry_points import merged

GROUP = "synthgen.detectors"
"""The entry points by which other packages offer detectors, each under its ``method``."""


def _table() -> dict[str, type[Detector]]:
    own: dict[str, type[Detector]] = {each.method: each for each in (Padim, Patchcore, Simplenet)}
    table = merged(own, GROUP, Detector)  # type: ignore[type-abstract]
    for name, detector in table.items():
        method = getattr(detector, "method", None)
        if method != name:
            raise InputError(
                f"the entry point {name} of {GROUP} is {detector.__module__}.{detector.__qualname__}, whose "
                f"method is {method!r}; the two names must be the same: repair or uninstall the package"
            )
    return table


DETECTORS = _table()
"""Our own and those of installed packages, by ``method``."""


def make_detector(
    method: str, overrides: Mapping[str, Any], backbone: BackboneName | None, weights: str, device: str
) -> Detector:
    """A detector that is not fitted yet; ``overrides`` are settings that differ from the published ones.

    ``backbone`` and ``weights``, as for `load_backbone`, matter to a `FeatureDetector` alone. Raises
    InputError for an unknown method, setting or backbone and for unfit weights, RunError where the weights
    cannot be downloaded.
    """
    if method not in DETECTORS:
        raise InputError(f"method '{method}' is not known; one of {', '.join(DETECTORS)} is expected")
    detector = DETECTORS[method]
    try:
        settings = detector.settings_type.model_validate(dict(overrides))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InputError(
            f"{method}: setting {'.'.join(map(str, first['loc']))}: {first['msg']}; "
            f"{method} has the settings {', '.join(detector.settings_type.model_fields)}"
        ) from error
    if not issubclass(detector, FeatureDetector):
        return detector(settings, torch.device(device))
    if backbone is None:
        raise InputError(f"{method} needs a backbone; one of {', '.join(get_args(BackboneName))} is expected")
    return detector(settings, load_backbone(backbone, weights, detector.stages), torch.device(device))


def save_detector(detector: Detector, directory: Path) -> None:
    """Write a detector, and its backbone where it has one, for `load_detector`.

    Whenever this is interrupted, the directory is either whole or recognised as incomplete. Raises RunError
    before the detector was fitted, and where the directory cannot be written.
    """
    write_detector(directory, detector.method, detector.settings, detector.backbone, detector.state)


def load_detector(directory: Path, device: str) -> Detector:
    """A detector as it was saved.

    Raises InputError where there is none, or one of another version or of a method that is not installed.
    """
    record = read_record(directory)
    if record.method not in DETECTORS:
        raise InputError(
            f"detector {directory}: was fitted by the method '{record.method}', which is none of "
            f"{', '.join(DETECTORS)}; install the package that offers it, or fit again with one of these"
        )
    state = read_state(directory, record)
    try:
        detector = make_detector(
            record.method, record.settings, record.backbone, str(directory / BACKBONE), device
        )
    except InputError as error:
        raise InputError(f"detector {directory}: {error}") from error
    try:
        detector.restore(state)
    except (KeyError, RuntimeError, TypeError) as error:
        raise InputError(
            f"detector {directory}: what was learned does not fit its settings "
            f"({' '.join(str(error).split())[:100]}); fit it again"
        ) from error
    return detector
