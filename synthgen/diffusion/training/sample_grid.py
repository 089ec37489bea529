"""A grid of samples that shows how far a training has come."""

import numpy as np
import torch
from torch import Tensor

from synthgen.diffusion.packing import packed, unpacked
from synthgen.diffusion.prediction import NetworkOutput
from synthgen.diffusion.sampler import ReverseProcess, sample
from synthgen.diffusion.schedule import schedule_from_config
from synthgen.diffusion.tensors import from_network
from synthgen.diffusion.training.trainer import Trainer
from synthgen.images.pixels import Pixels
from synthgen.streams import Stream

STEPS = 20
PICTURES = 16
MOST_ROWS = 8
GAP = 2
WHITE = 255


def sample_grid(trainer: Trainer) -> Pixels:
    """Samples of the averaged weights, s = 0 and always from the same noise, as one picture (H, W, C) uint8.

    A class-conditional network gives a row for each of the first eight categories.
    """
    categories = len(trainer.images.categories)
    rows = min(categories, MOST_ROWS) if trainer.conditional else 4
    columns = PICTURES // rows
    classes = torch.arange(rows).repeat_interleave(columns)
    pictures: list[Pixels] = []
    trainer.unet.eval()
    with trainer.average.shown_by(trainer.unet):
        for some in torch.split(torch.arange(rows * columns), trainer.settings.batch):
            pictures.extend(from_network(_samples(trainer, some, classes[some])))
    return _tiled(pictures, columns)


def _samples(trainer: Trainer, numbers: Tensor, classes: Tensor) -> Tensor:
    """The pictures of some numbers: (B, C, S, S)."""
    settings, device = trainer.settings, trainer.accelerator.device
    labels = classes.to(device) if trainer.conditional else None
    shape = (trainer.images.channels, settings.size, settings.size)

    def network(x: Tensor, timesteps: Tensor) -> Tensor:
        with trainer.accelerator.autocast():
            output = trainer.unet(packed(x, settings.packing), timesteps, labels).sample
        return unpacked(output.float(), settings.packing)

    def noise(draw: int) -> Tensor:
        streams = [Stream(settings.seed, number, f"sample grid/{draw}") for number in numbers.tolist()]
        return torch.from_numpy(np.stack([stream.gaussian(shape) for stream in streams])).to(device)

    config = trainer.scheduler.config
    process = ReverseProcess(network, schedule_from_config(config, STEPS), NetworkOutput.from_config(config))
    return sample(process, noise, torch.zeros(STEPS, len(numbers), device=device))


def _tiled(pictures: list[Pixels], columns: int) -> Pixels:
    """Pictures of one size beside and below each other, with a gap between them."""
    height, width, channels = pictures[0].shape
    rows = len(pictures) // columns
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, channels), WHITE, np.uint8)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        top, left = row * (height + GAP), column * (width + GAP)
        sheet[top : top + height, left : left + width] = picture
    return sheet
