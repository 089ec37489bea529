"""Which detector to fit: a method, and what differs from its published settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from synthgen.runtime.devices import chosen_device
from synthgen.runtime.extras import require_extra

if TYPE_CHECKING:
    from synthgen.detectors.base import Detector
    from synthgen.detectors.common.backbone import BackboneName


@dataclass(frozen=True)
class DetectorChoice:
    """A detector that is not fitted yet."""

    method: str
    """``padim``, ``patchcore``, ``simplenet``, or one that another package offers."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings that differ from the published ones."""
    backbone: "BackboneName" = "resnet18"
    """The network whose features are looked at."""
    weights: str = "imagenet"
    """A .safetensors or .pth file, ``imagenet`` (by the Hugging Face hub) or ``random``."""
    device: str = "auto"
    """``auto``, ``cpu`` or ``cuda``."""

    @classmethod
    def of(cls, method: str, overrides: Sequence[str] = (), **options: Any) -> "DetectorChoice":
        """A choice whose settings are ``a=b`` texts, their values YAML, as the command line takes them.

        Raises InputError for a method or a setting that is not there.
        """
        from synthgen.config.reader import parse_model
        from synthgen.detectors.registry import detector_type

        settings_type = detector_type(method).settings_type
        settings = parse_model("{}", f"the settings of {method}", settings_type, overrides)
        return cls(method, settings.model_dump(), **options)

    def make(self) -> "Detector":
        """The detector. Raises InputError and RunError as `make_detector` does."""
        require_extra("detectors", "a detector")
        from synthgen.detectors.registry import make_detector

        device = chosen_device(self.device)
        return make_detector(self.method, self.settings, self.backbone, self.weights, device)
