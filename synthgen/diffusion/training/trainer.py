"""One training: the network, its moving average, the optimiser, and one update after another."""

from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor

from synthgen.diffusion.packing import packed
from synthgen.diffusion.tensors import to_network
from synthgen.diffusion.training.batches import BatchesAhead, Drawn
from synthgen.diffusion.training.ema import MovingAverage
from synthgen.diffusion.training.first_weights import FirstWeights
from synthgen.diffusion.training.images import TrainingImages
from synthgen.diffusion.training.loss import DiffusionLoss
from synthgen.diffusion.training.network import new_network, new_scheduler
from synthgen.diffusion.training.settings import TrainingSettings
from synthgen.streams import Stream


class Update(NamedTuple):
    """What one update reports."""

    loss: float
    """Mean over the batches and devices of the update."""
    gradient_norm: float
    """Before it was clipped."""


class Trainer:
    """Trains one network; all random numbers of update k come from (seed, k), so that it goes on anywhere."""

    def __init__(
        self,
        images: TrainingImages,
        settings: TrainingSettings,
        accelerator: Accelerator,
        first_weights: FirstWeights | None = None,
    ) -> None:
        """Begin with random weights or those given. Raises InputError where they are of another network."""
        self.images = images
        self.settings = settings
        self.accelerator = accelerator
        self.first_weights = first_weights
        unet = new_network(settings, images.channels, len(images.categories))
        self.keeps_classes = first_weights is None or first_weights.give_to(unet, settings.prediction)
        """Whether the class embedding begins with them, too."""
        self.unet = unet.to(accelerator.device, memory_format=torch.channels_last)
        """The network itself, whatever accelerate wraps around it."""
        self.scheduler = new_scheduler(settings)
        on_gpu = accelerator.device.type == "cuda"
        self._batches = BatchesAhead(self._drawn, ahead=on_gpu)
        self._loss = DiffusionLoss(
            self.scheduler.alphas_cumprod.to(accelerator.device),
            settings.prediction,
            None if settings.min_snr == "none" else settings.min_snr,
        )
        fused = True if on_gpu else None  # one kernel for all weights
        optimizer = torch.optim.Adam(self.unet.parameters(), lr=settings.learning_rate, fused=fused)
        self._network, self._optimizer = accelerator.prepare(self.unet, optimizer)
        self.average = MovingAverage(self.unet, settings.ema)

    def update(self, number: int) -> Update:
        """Do the update of one number, from 0."""
        warmth = min(1.0, (number + 1) / max(1, self.settings.warm_up))
        for group in self._optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * warmth
        total, norm = torch.zeros((), device=self.accelerator.device), torch.zeros(())
        self._network.train()
        for part in range(self.settings.accumulate):
            with self.accelerator.accumulate(self._network):
                loss = self._batch_loss(number, part)
                self.accelerator.backward(loss)
                total += loss.detach()
                if self.accelerator.sync_gradients:
                    norm = self.accelerator.clip_grad_norm_(self._network.parameters(), self.settings.clip)
                self._optimizer.step()
                self._optimizer.zero_grad()
        self.average.update(self.unet, number + 1)
        mean = self.accelerator.reduce(total, "mean")
        return Update(float(mean) / self.settings.accumulate, float(norm))

    def try_batch(self, count: int) -> None:
        """Use the memory that updates with batches of ``count`` need, and change nothing.

        Lets through what torch raises where there is not so much memory.
        """
        self.unet.zero_grad()
        weights = list(self.unet.parameters())
        moments = [] if self._optimizer.state else [torch.empty_like(each) for each in weights * 2]
        side = self.settings.packing
        shape = (
            count,
            self.images.channels * side**2,
            self.settings.size // side,
            self.settings.size // side,
        )
        images = torch.zeros(shape, device=self.accelerator.device)
        timesteps = torch.zeros(count, dtype=torch.int64, device=self.accelerator.device)
        with self.accelerator.autocast():
            output = self.unet(images, timesteps, timesteps if self.conditional else None).sample
        # Not by backward(), to which the other processes of a training would have to answer.
        torch.autograd.grad(self._loss(output.float(), images, images, timesteps), weights)
        del moments

    @property
    def conditional(self) -> bool:
        """Whether the network takes class labels."""
        return len(self.images.categories) > 1

    def is_finite(self) -> bool:
        """Whether all weights are numbers."""
        return all(bool(weight.isfinite().all()) for weight in self.unet.parameters())

    def state(self) -> dict[str, Any]:
        """All that the next update depends on, for ``torch.save``."""
        scaler = self.accelerator.scaler
        return {
            "network": self.unet.state_dict(),
            "average": dict(self.average.weights),
            "optimizer": self._optimizer.state_dict(),
            "scaler": scaler.state_dict() if scaler else {},
        }

    def go_back(self, state: dict[str, Any]) -> None:
        """Set everything as it was when ``state`` was taken."""
        self.unet.load_state_dict(state["network"])
        self.average.load(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(state["scaler"])

    def _drawn(self, number: int, part: int) -> Drawn:
        """What the CPU does for a batch."""
        stream = Stream(self.settings.seed, number, f"train/{self.accelerator.process_index}/{part}")
        return Drawn(*self.images.batch(stream, self.settings, self.settings.batch), stream)

    def _batch_loss(self, number: int, part: int) -> Tensor:
        device = self.accelerator.device
        following = (number, part + 1) if part + 1 < self.settings.accumulate else (number + 1, 0)
        pixels, classes, stream = self._batches.take((number, part), following)
        images = packed(to_network(pixels, device), self.settings.packing)
        generator = torch.Generator().manual_seed(stream.integer(0, 2**48))
        on_device = torch.Generator(device).manual_seed(stream.integer(0, 2**48))
        timesteps = self._loss.timesteps(len(images), generator).to(device)
        noise = torch.randn(images.shape, generator=on_device, device=device)
        labels = self._labels(torch.from_numpy(classes), generator).to(device) if self.conditional else None
        noisy = self._loss.noised(images, noise, timesteps).contiguous(memory_format=torch.channels_last)
        with self.accelerator.autocast():
            output = self._network(noisy, timesteps, class_labels=labels).sample
        return self._loss(output.float(), images, noise, timesteps)

    def _labels(self, classes: Tensor, generator: torch.Generator) -> Tensor:
        """The classes (B,), some of them hidden, so that the network also learns to do without."""
        hidden = torch.rand(len(classes), generator=generator) < self.settings.label_dropout
        return torch.where(hidden, len(self.images.categories), classes)
