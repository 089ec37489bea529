"""What all detectors share: they are fitted on normal images and give scores and maps."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Annotated, ClassVar, Protocol

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from synthgen.detectors.common.anomaly_maps import mean_of_highest
from synthgen.detectors.common.backbone import Backbone
from synthgen.errors import InputError, RunError
from synthgen.runtime.progress import Progress

State = dict[str, Tensor]
"""What a detector has learned, by name, on the CPU."""


class NormalImages(Protocol):
    """Normal images to fit on; every pass gives the same images in the same order."""

    def __len__(self) -> int:
        """How many images there are."""

    def batches(self, size: int) -> Iterator[Tensor]:
        """All images in batches (B, 3, H, W) float32, RGB in [0, 1], H = W = the settings' image_size."""


class DetectorSettings(BaseModel):
    """The settings of all methods."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    image_size: Annotated[int, Field(ge=32, le=2048)] = 256
    """Side of the square images, pixels."""
    smoothing: Annotated[float, Field(gt=0, le=64)] = 4.0
    """Standard deviation of the Gaussian that smooths the anomaly map, pixels."""
    score_share: Annotated[float, Field(gt=0, le=1)] | None = None
    """The image's score is the mean of this share of its map's pixels, the highest ones, which a single noisy
    patch of a textured product moves less than a maximum; None takes the method's own score."""


class Detector(ABC):
    """A method with its settings; `fit` or `load_detector` makes it ready to predict.

    Most methods look at the features of a frozen backbone: they are a `FeatureDetector`. One that trains a
    network of its own keeps all of it in its state.

    On the CPU the same seed gives the same scores bit for bit with the same number of torch's threads, and an
    image's score does not depend on the other images of its batch.
    """

    method: ClassVar[str]
    settings_type: ClassVar[type[DetectorSettings]]
    backbone: Backbone | None = None

    def __init__(self, settings: DetectorSettings, device: torch.device) -> None:
        self.settings = settings
        self.device = device
        self._state: State | None = None

    def fit(self, images: NormalImages, seed: int, progress: Progress) -> None:
        """Learn what is normal; ``seed`` decides everything random.

        Raises InputError where there are no images or one is of another size, RunError for features that are
        NaN or infinite.
        """
        if not len(images):
            raise InputError(
                f"{self.method} has no training images; at least one normal image is expected, better 100"
            )
        with torch.no_grad():
            state = self._fit(images, seed, progress)
        self.restore({name: tensor.cpu().contiguous() for name, tensor in state.items()})

    def predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Anomaly scores (B,) and maps (B, H, W), both float32 on the CPU; higher is more anomalous.

        ``images``: (B, 3, H, W) float32, RGB in [0, 1], H = W = the settings' image_size. Raises InputError
        for other images, RunError for features that are NaN or infinite and before `fit`.
        """
        if self._state is None:
            raise RunError(f"{self.method} was not fitted; fit it on normal images first")
        self._require_size(images)
        # On the CPU a batch is no faster, and the last bits of an image's score would depend on it.
        together = 1 if self.device.type == "cpu" else max(len(images), 1)
        scores, maps = [torch.empty(0)], [torch.empty(0, *images.shape[2:])]
        with torch.inference_mode():
            for start in range(0, len(images), together):
                batch_scores, batch_maps = self._score(images[start : start + together], start)
                if self.settings.score_share is not None:
                    batch_scores = mean_of_highest(batch_maps, self.settings.score_share)
                scores.append(batch_scores.cpu())
                maps.append(batch_maps.cpu())
        return torch.cat(scores), torch.cat(maps)

    @property
    def state(self) -> State:
        """What was learned. Raises RunError before `fit`."""
        if self._state is None:
            raise RunError(f"{self.method} was not fitted; fit it on normal images first")
        return self._state

    def restore(self, state: State) -> None:
        """Get ready to predict. Raises KeyError or RuntimeError where the state is not one of this method."""
        self._prepare({name: tensor.to(self.device) for name, tensor in state.items()})
        self._state = state

    @abstractmethod
    def _fit(self, images: NormalImages, seed: int, progress: Progress) -> State:
        """Learn from at least one image, without gradients."""

    @abstractmethod
    def _prepare(self, state: State) -> None:
        """Take over what was learned, already on the detector's device."""

    @abstractmethod
    def _score(self, images: Tensor, first: int) -> tuple[Tensor, Tensor]:
        """Scores (B,) and maps (B, H, W) of a batch of images, the first of which has that number."""

    def _require_size(self, images: Tensor) -> None:
        side = self.settings.image_size
        if images.dtype != torch.float32 or images.shape[1:] != (3, side, side):
            raise InputError(
                f"images are {tuple(images.shape)} {images.dtype}; {self.method} expects (B, 3, {side}, "
                f"{side}) torch.float32"
            )
