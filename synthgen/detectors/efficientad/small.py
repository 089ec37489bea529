"""EfficientAD made small enough for a few cores. It is ours, and none of the published networks."""

from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from synthgen.detectors.base import Fitting, State
from synthgen.detectors.common.anomaly_maps import MapEnlarger
from synthgen.detectors.common.backbone import Backbone
from synthgen.detectors.common.feature_detector import FeatureDetector
from synthgen.detectors.efficientad.detector import ImitationDetector, ImitationSettings
from synthgen.detectors.efficientad.imitation import Course, Imitation
from synthgen.detectors.efficientad.networks import Autoencoder, Convolution, PatchDescriptionNetwork
from synthgen.detectors.efficientad.pictures import normalised
from synthgen.streams import Stream

CHANNELS = 64
"""Of the teacher, at most."""
STUDENT = (
    Convolution(16, 5, pools=True),
    Convolution(32, 5, pools=True),
    Convolution(64, 3),
    Convolution(None, 3),
)
"""With padding; a cell sees 32 x 32 pixels of the picture, which are 64 x 64 of the image."""
STRIDE = 4
"""Of the student."""
WIDTH = 32
"""Of the autoencoder."""
BATCH = 2
RATE = 1e-3
"""Ten times the published one, for a hundredth of its steps."""
HARD_SHARE = 0.999
"""As published."""


class EfficientadSmallSettings(ImitationSettings):
    """The settings of the small form; there are no published ones."""

    steps: Annotated[int, Field(ge=1)] = 600
    """Training steps; these take about 4 minutes of one core at 256 pixels."""


class EfficientadSmall(ImitationDetector, FeatureDetector):
    """The teacher is the frozen backbone, turned by a fixed orthogonal matrix to fewer channels.

    Student and autoencoder are shown the image at about half its size, where the student's stride of 4 is
    the backbone's stage 2's of 8. The map is smoothed, as other detectors' maps are.
    """

    method = "efficientad-small"
    settings_type = EfficientadSmallSettings
    stages = (2, 3)
    settings: EfficientadSmallSettings

    def __init__(self, settings: EfficientadSmallSettings, backbone: Backbone, device: torch.device) -> None:
        super().__init__(settings, backbone, device)
        inputs = sum(backbone.channels.values())
        outputs = min(CHANNELS, inputs)
        side = self._side()
        self._picture_side = STRIDE * side
        self._projection = torch.empty(outputs, inputs)
        self._imitation = Imitation(
            self._teach,
            self._see,
            PatchDescriptionNetwork(STUDENT, 2 * outputs, pads=True),
            Autoencoder(self._picture_side, side, outputs, WIDTH),
            device,
        )
        self._enlarge = MapEnlarger(side, settings.image_size, settings.smoothing, device)

    def _fit(self, fitting: Fitting) -> State:
        outputs, inputs = self._projection.shape
        self._projection = orthogonal(outputs, inputs, fitting.seed).to(self.device)
        settings = self.settings
        course = Course(
            settings.steps, BATCH, RATE, HARD_SHARE, settings.penalty == "textures", keeps_outputs=True
        )
        learned = self._imitation.learn(self._images(fitting), course, fitting)
        return learned | {"projection": self._projection}

    def _prepare(self, state: State) -> None:
        self._projection = state["projection"]
        self._imitation.prepare(state)

    def _teach(self, images: Tensor) -> Tensor:
        features = list(self._extract(images).values())
        size = features[0].shape[2:]
        levels = [functional.interpolate(values, size, mode="bilinear") for values in features[1:]]
        return torch.einsum("oc,bchw->bohw", self._projection, torch.cat([features[0], *levels], dim=1))

    def _see(self, images: Tensor) -> Tensor:
        """The image's pixels averaged, two by two where its side is a multiple of 8."""
        return functional.adaptive_avg_pool2d(normalised(images), self._picture_side)


def orthogonal(rows: int, columns: int, seed: int) -> Tensor:
    """A random matrix (rows, columns) float32 with orthonormal rows, of which there are no more than columns.

    It is uniform among them (Mezzadri, Notices of the AMS, 2007).
    """
    noise = Stream(seed, 0, "projection").gaussian((columns, rows)).astype(np.float64)
    turned, triangle = np.linalg.qr(noise)
    return torch.from_numpy((turned * np.sign(np.diag(triangle))).T.astype(np.float32).copy())
