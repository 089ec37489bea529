"""One pre-training: the base method, the term, the optimiser, and one update after another."""

from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Generator, Tensor

from synthgen.detectors.common.backbones import load_backbone
from synthgen.detectors.common.training import cosine
from synthgen.pretraining import spot_the_difference
from synthgen.pretraining.base_method import BaseLoss, BaseMethod
from synthgen.pretraining.collapse import spread
from synthgen.pretraining.images import Batch, PretrainingImages
from synthgen.pretraining.moco import MoCo
from synthgen.pretraining.settings import PretrainingSettings
from synthgen.pretraining.simclr import SimClr
from synthgen.pretraining.simsiam import SimSiam
from synthgen.pretraining.views import WeakViews, global_views
from synthgen.streams import Stream

MOMENTUM = 0.9
WEIGHT_DECAY = 1e-4

BASE_VIEWS, TERM_VIEWS = 2, 3
"""How many pictures of each image the network sees for the base, and for the term."""


class Update(NamedTuple):
    """What one update reports, averaged over its parts."""

    loss: float
    base: float
    spd: float
    """The term before it is weighed; 0 without one."""
    spread: float
    """Of the base's outputs, see `collapse.spread`."""
    changed: float
    """Share of the copies that have a defect; 0 without a term."""


class Trainer:
    """Trains one backbone; all that is random in update k comes of (seed, k), so that it goes on anywhere."""

    def __init__(
        self, images: PretrainingImages, settings: PretrainingSettings, accelerator: Accelerator
    ) -> None:
        """Begin with the first weights. Raises InputError and RunError as `load_backbone` does."""
        self.images, self.settings, self.accelerator = images, settings, accelerator
        self.method = _method(settings, images.count).to(
            accelerator.device,
            memory_format=torch.channels_last,  # type: ignore[call-overload]
        )
        constant = self.method.at_constant_rate
        kept = {id(parameter) for parameter in constant}
        falling = [each for each in self.method.parameters() if each.requires_grad and id(each) not in kept]
        groups = [{"params": falling}, *([{"params": list(constant)}] if constant else [])]
        optimizer = torch.optim.SGD(
            groups, lr=settings.learning_rate, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
        )
        self._optimizer = accelerator.prepare(optimizer)

    def update(self, number: int) -> Update:
        """Do the update of one number, from 0."""
        settings = self.settings
        self.method.train()
        rate = settings.learning_rate * cosine(number / settings.steps)
        self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.zero_grad()
        found = []
        for part in range(settings.accumulate):
            base, term, changed = self._losses(number, part)
            loss = base.value + settings.weight * term
            self.accelerator.backward(loss / settings.accumulate)
            found.append(torch.stack([loss, base.value, term, spread(base.outputs), changed]).detach())
        self._optimizer.step()
        self.method.after_update(number + 1)
        return Update(*torch.stack(found).mean(0).tolist())

    @property
    def pictures_an_update(self) -> int:
        """How many pictures pass the network in an update."""
        views = BASE_VIEWS + (0 if self.settings.spd == "none" else TERM_VIEWS)
        return views * self.settings.batch

    def is_finite(self) -> bool:
        """Whether all weights are numbers."""
        return all(bool(weight.isfinite().all()) for weight in self.method.parameters())

    def state(self) -> dict[str, Any]:
        """All that the next update depends on, for ``torch.save``."""
        scaler = self.accelerator.scaler
        return {
            "method": self.method.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": scaler.state_dict() if scaler else {},
        }

    def go_back(self, state: dict[str, Any]) -> None:
        """Set everything as it was when ``state`` was taken."""
        self.method.load_state_dict(state["method"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(state["scaler"])

    def weights(self) -> dict[str, Tensor]:
        """The backbone's tensors by their published names, on the CPU."""
        tensors = self.method.encoder.backbone.state_dict()
        return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def _losses(self, number: int, part: int) -> tuple[BaseLoss, Tensor, Tensor]:
        stream = Stream(self.settings.seed, number, f"pre-train/{part}")
        generator = Generator().manual_seed(stream.integer(0, 2**48))
        batch = self.images.batch(number, self.settings, part)
        images = batch.images.to(self.accelerator.device)
        views = [global_views(images, generator) for _ in range(BASE_VIEWS)]
        with self.accelerator.autocast():
            base: BaseLoss = self.method(*map(_ordered, views), batch.numbers.to(self.accelerator.device))
            term = self._term(images, batch, generator)
        return base, term, batch.differs.float().mean().to(term.device)

    def _term(self, images: Tensor, batch: Batch, generator: Generator) -> Tensor:
        settings = self.settings
        if batch.copies is None:
            return images.new_zeros(())
        weak = WeakViews.drawn(len(images), generator)
        changed = batch.copies.to(images.device)
        # Together, so that no batch norm sees the copies apart from what they are to be told from.
        pictures = _ordered(torch.cat([images, weak.of(images), weak.of(changed)]))
        encoder = self.method.encoder
        found = encoder.features(pictures) if settings.spd_on == "features" else encoder(pictures)
        anchors, near, far = found.chunk(TERM_VIEWS)
        if settings.spd == "contrast":
            terms = spot_the_difference.contrast(anchors, near, far, settings.temperature)
        else:
            terms = spot_the_difference.margin(anchors, near, far, settings.margin)
        counted = batch.differs.to(terms.device)
        return (terms * counted).sum() / counted.sum().clamp(min=1)


def _method(settings: PretrainingSettings, images: int) -> BaseMethod:
    backbone = load_backbone(settings.backbone, settings.init, (settings.stage,)).requires_grad_(True)
    generator = Generator().manual_seed(Stream(settings.seed, 0, "heads").integer(0, 2**48))
    match settings.base:
        case "simclr":
            return SimClr(backbone, generator)
        case "moco":
            return MoCo(backbone, generator, images)
        case "simsiam":
            return SimSiam(backbone, generator)


def _ordered(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
