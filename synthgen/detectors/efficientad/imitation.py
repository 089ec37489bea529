"""What both forms of EfficientAD do: a student and an autoencoder learn to imitate a teacher."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from synthgen.detectors.base import Fitting, State
from synthgen.detectors.common.training import train
from synthgen.detectors.efficientad.networks import Autoencoder, initialise
from synthgen.detectors.efficientad.pictures import normalised, recoloured, textures
from synthgen.detectors.efficientad.quantiles import MapScale, exact_quantile
from synthgen.streams import Stream

HELD_OUT = 0.1
"""Share of the normal images that nothing is trained on and that the maps are scaled by."""
WEIGHT_DECAY = 1e-5
LATE, LATE_FACTOR = 0.95, 0.1
"""From this share of the steps on, the learning rate is multiplied by this factor."""
LEAST_DEVIATION = 1e-3
"""A channel of the teacher is taken to vary by at least this share of what all of them do."""

Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Course:
    """How long and by what student and autoencoder are trained."""

    steps: int
    batch: int
    """Images of a step."""
    rate: float
    """Adam's learning rate, but for the last steps."""
    hard_share: float
    """The share of a step's differences of teacher and student that the loss leaves out, the smallest."""
    has_penalty: bool
    """Whether the student learns to give nothing where it sees no product."""
    keeps_outputs: bool
    """Whether the teacher's outputs of the images are computed once and kept, in half precision."""


class Maps(NamedTuple):
    """Squared differences, their means over the channels, (B, h, w)."""

    teacher: Tensor
    """Of student and teacher."""
    autoencoder: Tensor
    """Of student and autoencoder."""


class Imitation:
    """A student and an autoencoder of a frozen teacher, and the scales of their maps.

    ``teach`` gives the teacher's outputs (B, C, h, w) of images (B, 3, H, W), before they are normalised, and
    ``see`` what the other two are shown of the images. The student's first C channels imitate the teacher,
    its last C the autoencoder.
    """

    def __init__(
        self, teach: Network, see: Network, student: nn.Module, autoencoder: Autoencoder, device: torch.device
    ) -> None:
        self._teach, self._see, self._device = teach, see, device
        self._student, self._autoencoder = student, autoencoder
        self._networks = nn.ModuleDict({"student": student, "autoencoder": autoencoder}).to(device)
        self._mean = self._deviation = torch.empty(0)
        self._scales: tuple[MapScale, ...] = ()

    def learn(self, images: Tensor, course: Course, fitting: Fitting) -> State:
        """Train on most of the images (N, 3, H, W), and scale the maps by the others; see `prepare`."""
        trained_on, held_out = split(len(images), fitting.seed)
        with torch.no_grad():
            self._normalise(images[trained_on])
        self._train(images[trained_on], course, fitting)
        with torch.no_grad():
            maps = [self.unscaled(self._batch(images, [number])) for number in held_out]
            scales = [MapScale.of(torch.stack(of_kind)) for of_kind in zip(*maps, strict=True)]
        return {
            "mean": self._mean,
            "deviation": self._deviation,
            "scales": torch.stack([torch.stack(scale) for scale in scales]),
            **{name: tensor.clone() for name, tensor in self._networks.state_dict().items()},
        }

    def prepare(self, state: State) -> None:
        """Take over what was learned. Raises KeyError or RuntimeError where something is missing."""
        self._mean, self._deviation = state["mean"], state["deviation"]
        self._scales = tuple(MapScale(*scale) for scale in state["scales"])
        start = tuple(f"{name}." for name in self._networks)
        self._networks.load_state_dict({key: state[key] for key in state if key.startswith(start)})

    def scaled(self, images: Tensor) -> Maps:
        """The maps of images (B, 3, H, W), scaled by those of normal ones (section 3.4)."""
        maps = self.unscaled(images)
        return Maps(*(scale(each) for scale, each in zip(self._scales, maps, strict=True)))

    def unscaled(self, images: Tensor) -> Maps:
        """The maps as they are."""
        seen = self._see(images)
        as_teacher, as_autoencoder = self._student(seen).chunk(2, dim=1)
        of_teacher = (self._teacher(images) - as_teacher).square().mean(1)
        return Maps(of_teacher, (self._autoencoder(seen) - as_autoencoder).square().mean(1))

    def _teacher(self, images: Tensor) -> Tensor:
        """The teacher's normalised outputs."""
        return (self._teach(images) - self._mean) / self._deviation

    def _normalise(self, images: Tensor) -> None:
        """Take the mean and deviation of each channel over all images and places (section 3.2)."""
        count = 0
        sums = squares = torch.zeros((), dtype=torch.float64, device=self._device)
        for outputs in self._outputs(images, self._teach):
            values = outputs.double()
            count += values[:, 0].numel()
            sums = sums + values.sum((0, 2, 3))
            squares = squares + values.square().sum((0, 2, 3))
        mean = sums / count
        deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
        deviation = deviation.clamp(min=float(LEAST_DEVIATION * deviation.square().mean().sqrt()))
        # Where every image is the same everywhere, nothing varies.
        deviation[deviation == 0] = 1
        self._mean, self._deviation = (each.float().view(-1, 1, 1) for each in (mean, deviation))

    def _train(self, images: Tensor, course: Course, fitting: Fitting) -> None:
        seed = fitting.seed
        start = Generator(self._device).manual_seed(Stream(seed, 0, "efficientad").integer(0, 2**53))
        initialise(self._networks, start)
        kept = None
        if course.keeps_outputs:
            with torch.no_grad():
                kept = torch.cat([outputs.half() for outputs in self._outputs(images, self._teacher)])
        optimizer = torch.optim.Adam(self._networks.parameters(), course.rate, weight_decay=WEIGHT_DECAY)
        in_a_pass = -(-len(images) // course.batch)

        def loss(step: int, generator: Generator) -> Tensor:
            number, position = divmod(step, in_a_pass)
            order = Stream(seed, number, "order of images").permutation(len(images))
            chosen = order[position * course.batch : (position + 1) * course.batch]
            shown = self._batch(images, chosen)
            with torch.no_grad():
                outputs = self._teacher(shown) if kept is None else kept[chosen].float()
            return self._loss(shown, outputs, course, generator)

        networks = {"networks": self._networks}
        train(
            networks, [optimizer], loss, course.steps, fitting, device=self._device, schedule=late_reduction
        )

    def _loss(self, images: Tensor, outputs: Tensor, course: Course, generator: Generator) -> Tensor:
        """L_ST, L_AE and L_STAE of images whose normalised teacher's outputs are given."""
        count = len(images)
        with torch.no_grad():
            changed = recoloured(images, generator)
            seen = self._see(torch.cat([images, changed]))
            if course.has_penalty:
                others = textures(count, seen.shape[-1], generator)
                seen = torch.cat([seen, normalised(others)])
            outputs_of_changed = self._teacher(changed)
        reconstructed = self._autoencoder(seen[count : 2 * count], generator)
        as_teacher, as_autoencoder = self._student(seen).chunk(2, dim=1)
        student_teacher = hard_loss(outputs, as_teacher[:count], course.hard_share)
        if course.has_penalty:
            student_teacher = student_teacher + as_teacher[2 * count :].square().mean()
        autoencoder = (outputs_of_changed - reconstructed).square().mean()
        imitated = (reconstructed - as_autoencoder[count : 2 * count]).square().mean()
        return student_teacher + autoencoder + imitated

    def _outputs(self, images: Tensor, teacher: Network) -> Iterator[Tensor]:
        for number in range(len(images)):
            yield teacher(self._batch(images, [number]))

    def _batch(self, images: Tensor, numbers: Sequence[int]) -> Tensor:
        return images[numbers].to(self._device, torch.float32)


def hard_loss(outputs: Tensor, imitated: Tensor, share: float) -> Tensor:
    """The mean of the squared differences at or above their quantile (section 3.2)."""
    differences = (outputs - imitated).square()
    return differences[differences >= exact_quantile(differences.detach(), share)].mean()


def late_reduction(done: float) -> float:
    """The learning rate of the last steps is a tenth."""
    return LATE_FACTOR if done >= LATE else 1.0


def split(count: int, seed: int) -> tuple[list[int], list[int]]:
    """The numbers of the images to train on and of those to scale by; a single image is both."""
    order = Stream(seed, 0, "images held out").permutation(count)
    held_out = max(1, round(HELD_OUT * count))
    return order[held_out:] or order, order[:held_out]
