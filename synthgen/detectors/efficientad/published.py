"""EfficientAD with the published networks and a teacher out of a file."""

from typing import Annotated, Literal

import torch
from pydantic import Field

from synthgen.detectors.base import Fitting, State
from synthgen.detectors.efficientad.detector import ImitationDetector, ImitationSettings
from synthgen.detectors.efficientad.imitation import Course, Imitation
from synthgen.detectors.efficientad.maps import CellEnlarger
from synthgen.detectors.efficientad.networks import Autoencoder, Convolution, PatchDescriptionNetwork
from synthgen.detectors.efficientad.pictures import normalised
from synthgen.detectors.efficientad.teacher_file import read_teacher
from synthgen.errors import InputError
from synthgen.storage.place import local_path

CHANNELS = 384
"""Of the teacher."""
NETWORKS = {
    "small": (
        Convolution(128, 4, pools=True),
        Convolution(256, 4, pools=True),
        Convolution(256, 3),
        Convolution(None, 4),
    ),
    "medium": (
        Convolution(256, 4, pools=True),
        Convolution(512, 4, pools=True),
        Convolution(512, 1),
        Convolution(512, 3),
        Convolution(None, 4),
        Convolution(None, 1),
    ),
}
"""PDN-S and PDN-M of section 3.1."""
FIRST_CENTRE, STRIDE = 16, 4
"""Both see 33 x 33 pixels around the first of their cells' centres, and the next one 4 pixels on."""
RECEPTIVE_FIELD = 33
BATCH = 1
RATE = 1e-4
HARD_SHARE = 0.999
"""p_hard of section 3.2."""


class EfficientadSettings(ImitationSettings):
    """EfficientAD's settings, by default the published ones."""

    image_size: Annotated[int, Field(ge=64, le=2048)] = 256
    """Side of the square images, pixels; without padding the networks need 64."""
    smoothing: Annotated[float, Field(ge=0, le=64)] = 0.0
    """Standard deviation of the Gaussian that smooths the anomaly map, pixels; 0, as published: none."""
    network: Literal["small", "medium"] = "small"
    """Teacher and student: PDN-S or PDN-M."""
    steps: Annotated[int, Field(ge=1)] = 70_000
    """Training steps, of one image each."""
    teacher: str = ""
    """A .safetensors or .pth file of the teacher's weights, which only fitting needs."""


class Efficientad(ImitationDetector):
    """Section 3, but for the pictures of the penalty and the map's border, see `CellEnlarger`."""

    method = "efficientad"
    settings_type = EfficientadSettings
    settings: EfficientadSettings

    def __init__(self, settings: EfficientadSettings, device: torch.device) -> None:
        super().__init__(settings, device)
        size = settings.image_size
        side = (size - RECEPTIVE_FIELD) // STRIDE + 1
        layers = NETWORKS[settings.network]
        self._teacher = PatchDescriptionNetwork(layers, CHANNELS).to(device).requires_grad_(False)
        self._imitation = Imitation(
            lambda images: self._teacher(normalised(images)),
            normalised,
            PatchDescriptionNetwork(layers, 2 * CHANNELS),
            Autoencoder(size, side, CHANNELS),
            device,
        )
        self._enlarge = CellEnlarger(
            side, size, first=FIRST_CENTRE, stride=STRIDE, smoothing=settings.smoothing, device=device
        )

    def _fit(self, fitting: Fitting) -> State:
        self._teacher.load_state_dict(self._weights_of_teacher())
        settings = self.settings
        course = Course(
            settings.steps, BATCH, RATE, HARD_SHARE, settings.penalty == "textures", keeps_outputs=False
        )
        learned = self._imitation.learn(self._images(fitting), course, fitting)
        teacher = {f"teacher.{name}": tensor.clone() for name, tensor in self._teacher.state_dict().items()}
        return learned | teacher

    def _prepare(self, state: State) -> None:
        start = "teacher."
        teacher = {name.removeprefix(start): each for name, each in state.items() if name.startswith(start)}
        self._teacher.load_state_dict(teacher)
        self._imitation.prepare(state)

    def _weights_of_teacher(self) -> State:
        if not self.settings.teacher:
            raise InputError(
                "efficientad is fitted with a teacher, and none was given; give --teacher, a .safetensors "
                "or .pth file of PDN weights, or fit efficientad-small, which needs none"
            )
        networks = {name: PatchDescriptionNetwork(layers, CHANNELS) for name, layers in NETWORKS.items()}
        return read_teacher(local_path(self.settings.teacher), networks, self.settings.network)
