"""What a detector is: fitted on normal images, it gives scores and maps, and checks what goes in and out."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from synthgen.config.model import FrozenModel
from synthgen.detectors.checkpoint import Checkpoint, NoCheckpoint
from synthgen.detectors.common.anomaly_maps import mean_of_highest
from synthgen.detectors.common.backbone import Backbone
from synthgen.detectors.common.checks import require_images, require_scores, require_state
from synthgen.detectors.image_size import IMAGE_SIZE
from synthgen.detectors.inputs import AnomalySource, CheckedAnomalies, CheckedNormals, NormalImages
from synthgen.errors import InputError, RunError
from synthgen.runtime.progress import Progress

Scoring = Callable[[Tensor], tuple[Tensor, Tensor]]

State = dict[str, Tensor]
"""What a detector has learned, by name, on the CPU."""


@dataclass(frozen=True)
class Fitting:
    """What a method is given to learn from, checked on its way."""

    normals: NormalImages
    anomalies: AnomalySource | None
    """None for a method that learns from normal images alone."""
    seed: int
    """Decides everything random."""
    progress: Progress
    checkpoint: Checkpoint
    """Where a method that trains for long keeps how far it has come."""

    @property
    def samples(self) -> AnomalySource:
        """The samples with anomalies, for a method that learns from them."""
        assert self.anomalies is not None
        return self.anomalies


class DetectorSettings(FrozenModel):
    """The settings that every method has."""

    model_config = ConfigDict(allow_inf_nan=False)

    image_size: Annotated[int, Field(ge=32, le=2048)] = IMAGE_SIZE
    """Side of the square images, pixels."""
    smoothing: Annotated[float, Field(gt=0, le=64)] = 4.0
    """Standard deviation of the Gaussian that smooths the anomaly map, pixels."""
    score_share: Annotated[float, Field(gt=0, le=1)] | None = None
    """The image's score is the mean of this share of its map's pixels, the highest ones, which a single noisy
    patch of a textured product moves less than a maximum; None takes the method's own score."""


class Detector(ABC):
    """A method with its settings; `fit` or `load_detector` makes it ready to predict.

    A method sets ``method`` and ``settings_type``, and implements `_fit`, `_prepare` and `_score`; this class
    checks what these three are given and what they return. A method that looks at the features of a frozen
    backbone is a `FeatureDetector`; one that trains a network of its own keeps all of it in its state.

    On the CPU the same seed gives the same scores bit for bit with the same number of torch's threads, and an
    image's score does not depend on the other images of its batch.
    """

    method: ClassVar[str]
    """The method's name in the table of detectors."""
    settings_type: ClassVar[type[DetectorSettings]]
    trains: ClassVar[bool] = False
    """Whether it is fitted with gradients."""
    default_recipe: ClassVar[str] = "mixed"
    """The recipe that it learns from where none is named, if it learns from samples with anomalies."""
    companions: ClassVar[tuple[str, ...]] = ()
    """Simpler scores of the same fit that are reported beside its own, such as an untrained network's."""
    backbone: Backbone | None = None
    depth16: tuple[int, int] | None = None
    """The values between which the 16-bit images that it was fitted on were scaled to 0 … 255; whoever reads
    images for it scales them alike. None: it was fitted on images of 8 bits."""

    def __init__(self, settings: DetectorSettings, device: torch.device) -> None:
        self.settings = settings
        self.device = device
        self._state: State | None = None
        self.notes: list[str] = []
        """What a person should know of the last fit, a sentence each."""

    @property
    def uses_seed(self) -> bool:
        """Whether another seed gives another fit, with these settings."""
        return True

    @property
    def learns_from_anomalies(self) -> bool:
        """Whether, with these settings, it is fitted on samples with anomalies, too."""
        return False

    def fit(
        self,
        normals: NormalImages,
        anomalies: AnomalySource | None,
        seed: int,
        progress: Progress,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        """Learn what is normal and, for a method that does, from samples with anomalies.

        ``seed`` decides everything random. With a ``checkpoint`` a fit that was interrupted goes on where it
        was, given the same settings, images and seed. Raises InputError where there are no images, where one
        has another size or pixels outside [0, 1], and where samples are missing or of no use to the method;
        RunError where the number of images changes or something NaN or infinite is learned.
        """
        if not len(normals):
            raise InputError(
                f"{self.method} has no training images; at least one normal image is expected, better 100"
            )
        self._require_samples(anomalies)
        side = self.settings.image_size
        fitting = Fitting(
            CheckedNormals(normals, self.method, side),
            CheckedAnomalies(anomalies, self.method, side) if anomalies else None,
            seed,
            progress,
            checkpoint or NoCheckpoint(),
        )
        self.notes = []
        with torch.set_grad_enabled(self.trains):
            state = self._fit(fitting)
        require_state(self.method, state)
        self.restore({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()})

    def predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Anomaly scores (B,) and maps (B, H, W), finite float32 on the CPU; higher is more anomalous.

        ``images``: (B, 3, H, W) float32, RGB in [0, 1], H = W = the settings' image_size. Raises InputError
        for other images, and RunError before `fit` and where a score would be NaN or infinite.
        """
        return self._predict(images, self._score)

    def predict_companion(self, name: str, images: Tensor) -> tuple[Tensor, Tensor]:
        """As `predict`, by one of the `companions`."""
        return self._predict(images, lambda batch: self._score_companion(name, batch))

    @property
    def state(self) -> State:
        """What was learned. Raises RunError before `fit`."""
        return self._require_fitted()

    def restore(self, state: State) -> None:
        """Get ready to predict. Raises KeyError or RuntimeError where the state is not one of this method."""
        self._prepare({name: tensor.to(self.device) for name, tensor in state.items()})
        self._state = state

    @abstractmethod
    def _fit(self, fitting: Fitting) -> State:
        """Learn from at least one image; the batches are on the CPU.

        The state is all that `_prepare` gets, and may be on any device; a later fit must not write into it.
        """

    @abstractmethod
    def _prepare(self, state: State) -> None:
        """Take over what was learned, already on the detector's device.

        Raises KeyError or RuntimeError where it is not a state of this method with these settings.
        """

    @abstractmethod
    def _score(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B,) and maps (B, H, W), float32, of images (B, 3, H, W) on the detector's device."""

    def _score_companion(self, name: str, images: Tensor) -> tuple[Tensor, Tensor]:
        """As `_score`, by one of the `companions`, for a method that has some."""
        raise NotImplementedError(name)

    def _predict(self, images: Tensor, score: Scoring) -> tuple[Tensor, Tensor]:
        self._require_fitted()
        require_images(self.method, images, self.settings.image_size, 0)
        # On the CPU a batch is little faster, and the last bits of an image's score would depend on it.
        together = 1 if self.device.type == "cpu" else max(len(images), 1)
        return self._in_batches(len(images), lambda some: score(images[some].to(self.device)), together)

    def _in_batches(
        self, count: int, score: Callable[[slice], tuple[Tensor, Tensor]], together: int
    ) -> tuple[Tensor, Tensor]:
        """Scores and maps of all images, checked; ``score`` gives those of ``together`` of them."""
        side = self.settings.image_size
        all_scores, all_maps = [torch.empty(0)], [torch.empty(0, side, side)]
        with torch.inference_mode():
            for first in range(0, count, together):
                some = slice(first, min(first + together, count))
                scores, maps = score(some)
                require_scores(self.method, scores, maps, (some.stop - first, side), first)
                if self.settings.score_share is not None:
                    scores = mean_of_highest(maps, self.settings.score_share)
                all_scores.append(scores.cpu())
                all_maps.append(maps.cpu())
        return torch.cat(all_scores), torch.cat(all_maps)

    def _require_samples(self, anomalies: AnomalySource | None) -> None:
        if self.learns_from_anomalies and anomalies is None:
            raise InputError(
                f"{self.method} learns from samples with anomalies and was given none; give a recipe's"
            )
        if anomalies is not None and not self.learns_from_anomalies:
            raise InputError(
                f"{self.method} learns from normal images alone with these settings; leave the recipe out"
            )

    def _require_fitted(self) -> State:
        if self._state is None:
            raise RunError(f"{self.method} was not fitted; fit it on normal images first")
        return self._state
