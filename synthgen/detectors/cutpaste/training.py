"""Training both networks to tell the classes apart, in one loop."""

from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from synthgen.detectors.base import Fitting
from synthgen.detectors.common.colour_jitter import Jitter, jittered
from synthgen.detectors.common.training import cosine, train
from synthgen.detectors.cutpaste.batches import Examples, classes_of, patches, whole_images
from synthgen.detectors.cutpaste.networks import ImageNetwork, Networks, PatchNetwork
from synthgen.streams import Stream

JITTER = Jitter(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)
MOMENTUM = 0.9
WEIGHT_DECAY = 3e-5
FROZEN_STEPS = 20
"""For so many steps, but at most a fifth of all, only what stands behind the backbones is trained."""


class Schedule(NamedTuple):
    """How long is trained, and on how much at a time."""

    steps: int
    batch: int
    """Images of each class in a step."""
    image_rate: float
    """The learning rate of the network for images at the beginning; it falls to 0 by half a cosine."""
    patch_rate: float
    """That of the network for patches."""
    shrinking: int
    """How many times smaller than they are whole images are seen."""


class Task(NamedTuple):
    """What is learned from a recipe's samples."""

    methods: tuple[str, ...]
    by_method: bool
    """Whether each method is a class; else all together are one."""

    @property
    def classes(self) -> int:
        """How many classes there are, with the normal one."""
        return 1 + (len(self.methods) if self.by_method else 1)


def train_networks(
    networks: Networks,
    task: Task,
    schedule: Schedule,
    fitting: Fitting,
    device: torch.device,
) -> None:
    """Minimise the sum of both networks' cross entropies on the same samples, whole and cut to patches.

    Neither learns from the other's; they share the loop, so that one checkpoint holds both.
    """
    networks.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    groups = [{"params": networks.images.parameters(), "lr": schedule.image_rate}]
    if networks.patches is not None:
        groups.append({"params": networks.patches.parameters(), "lr": schedule.patch_rate})
    optimizer = torch.optim.SGD(groups, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    normals = schedule.batch
    count = normals * (task.classes - 1)
    frozen = min(FROZEN_STEPS, schedule.steps // 5)

    def loss(step: int, generator: Generator) -> Tensor:
        networks.freeze_backbones(step < frozen)
        (batch,) = fitting.samples.batches(count, count, first=step * count)
        classes = classes_of(batch, task.methods, task.by_method)
        examples = whole_images(batch, classes, normals)
        shrunk = functional.avg_pool2d(examples.images, schedule.shrinking)
        total = _loss(networks.images, examples._replace(images=shrunk), generator, device)
        if networks.patches is None:
            return total
        stream = Stream(fitting.seed, step, "places of patches")
        cut = patches(batch, classes, normals, networks.patches.side, stream)
        return total + _loss(networks.patches, cut, generator, device)

    train({"networks": networks}, [optimizer], loss, schedule.steps, fitting, device=device, schedule=cosine)


def _loss(
    network: ImageNetwork | PatchNetwork, examples: Examples, generator: Generator, device: torch.device
) -> Tensor:
    images = jittered(examples.images.to(device), JITTER, generator)
    images = images.contiguous(memory_format=torch.channels_last)
    return functional.cross_entropy(network(images), examples.classes.to(device))
