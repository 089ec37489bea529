"""All detectors by name: making one, and saving and loading one that was fitted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import torch
from pydantic import ValidationError

from synthgen.config.validation import first_fault
from synthgen.detectors.base import Detector
from synthgen.detectors.common.backbones import BackboneName, load_backbone
from synthgen.detectors.common.feature_detector import FeatureDetector
from synthgen.detectors.common.saved import BACKBONE, read_record, read_state, write_detector
from synthgen.detectors.cutpaste.detector import Cutpaste
from synthgen.detectors.efficientad.published import Efficientad
from synthgen.detectors.efficientad.small import EfficientadSmall
from synthgen.detectors.padim import Padim
from synthgen.detectors.patchcore import Patchcore
from synthgen.detectors.realnet.detector import Realnet
from synthgen.detectors.segmenter.detector import Segmenter
from synthgen.detectors.simplenet import Simplenet
from synthgen.errors import InputError
from synthgen.runtime.entry_points import merged

METHODS: tuple[type[Detector], ...] = (
    Padim,
    Patchcore,
    Simplenet,
    Segmenter,
    Realnet,
    Cutpaste,
    Efficientad,
    EfficientadSmall,
)

DETECTORS: dict[str, type[Detector]] = merged(
    {each.method: each for each in METHODS},
    "synthgen.detectors",
    Detector,
    lambda detector: getattr(detector, "method", "nothing"),
)


def make_detector(
    method: str, overrides: Mapping[str, Any], backbone: BackboneName | None, weights: str, device: str
) -> Detector:
    """A detector that is not fitted yet; ``overrides`` are settings that differ from the published ones.

    ``backbone`` and ``weights``, as for `load_backbone`, matter to a `FeatureDetector` alone. Raises
    InputError for an unknown method, setting or backbone and for unfit weights, RunError where the weights
    cannot be downloaded.
    """
    detector = detector_type(method)
    try:
        settings = detector.settings_type.model_validate(dict(overrides))
    except ValidationError as error:
        raise InputError(
            f"{method}: setting {first_fault(error)}; "
            f"{method} has the settings {', '.join(detector.settings_type.model_fields)}"
        ) from error
    if not issubclass(detector, FeatureDetector):
        return detector(settings, torch.device(device))
    if backbone is None:
        raise InputError(f"{method} needs a backbone; one of {', '.join(get_args(BackboneName))} is expected")
    stages = detector.stages_of(settings)
    return detector(settings, load_backbone(backbone, weights, stages), torch.device(device))


def save_detector(detector: Detector, directory: Path) -> None:
    """Write a detector, and its backbone where it has one, for `load_detector`.

    Whenever this is interrupted, the directory is either whole or recognised as incomplete. Raises RunError
    before the detector was fitted, and where the directory cannot be written.
    """
    write_detector(
        directory,
        detector.method,
        detector.settings,
        detector.backbone,
        detector.state,
        depth16=detector.depth16,
    )


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
    detector.depth16 = record.depth16
    return detector


def detector_type(method: str) -> type[Detector]:
    """The class of a method. Raises InputError for one that is not there."""
    if method not in DETECTORS:
        raise InputError(f"method '{method}' is not known; one of {', '.join(DETECTORS)} is expected")
    return DETECTORS[method]
