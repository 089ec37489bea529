"""Which detector to fit: a method, and what differs from its published settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from synthgen.runtime.devices import chosen_device
from synthgen.runtime.extras import require_extra

if TYPE_CHECKING:
    from synthgen.detectors.base import Detector
    from synthgen.detectors.common.backbones import BackboneName


@dataclass(frozen=True)
class DetectorChoice:
    """A detector that is not fitted yet."""

    method: str
    """Its name, such as ``padim`` or ``segmenter``."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings that differ from the published ones."""
    backbone: "BackboneName | None" = None
    """The network whose features are looked at. None: the one that ``weights`` is a file of, else
    EfficientNet-Lite0, whose weights are installed with the detectors."""
    weights: str = "imagenet"
    """A .safetensors or .pth file, ``imagenet`` (of the ResNets by the Hugging Face hub) or ``random``."""
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
        return make_detector(self.method, self.settings, self.network, self.weights, device)

    @property
    def network(self) -> "BackboneName":
        """The backbone's name. Raises InputError where the file of weights is of none that is known."""
        from synthgen.detectors.common.backbones import recognise
        from synthgen.storage.place import local_path

        if self.backbone:
            return self.backbone
        if self.weights in ("imagenet", "random"):
            return "efficientnet_lite0"
        return recognise(local_path(self.weights))
