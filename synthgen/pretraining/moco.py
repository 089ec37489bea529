"""MoCo v2 (He et al., CVPR 2020; Chen et al., 2020): a view is to find the other one among earlier keys.

The keys come from a slow average of the encoder.
"""

from copy import deepcopy

import torch
from torch import Generator, Tensor
from torch.nn import functional

from synthgen.detectors.common.backbone import Backbone
from synthgen.pretraining.base_method import BaseLoss, BaseMethod, Encoder, channels_of, initialise, mlp

WIDTH = 128
TEMPERATURE = 0.2
MOMENTUM = 0.99
"""Of the keys' encoder. The authors' 0.999 is for 200,000 updates: after 300 it would still be its first
weights. At 0.99 their accuracy is 1.2 points lower (table of section 4.1)."""
QUEUE = 65_536
"""Most keys that are kept."""

_NOBODY = -1


class MoCo(BaseMethod):
    """An encoder for queries, its slow average for keys, and a queue of earlier keys.

    With few images the queue holds earlier views of all of them. An image's own are no negatives, so they are
    left out of what it is compared with, by its number.
    """

    queue: Tensor
    numbers: Tensor
    place: Tensor

    def __init__(self, backbone: Backbone, generator: Generator, images: int) -> None:
        channels = channels_of(backbone)
        super().__init__(Encoder(backbone, mlp([channels, channels, WIDTH])))
        initialise(self.encoder.projector, generator)
        self.keys = deepcopy(self.encoder).requires_grad_(False)
        length = min(QUEUE, images)
        self.register_buffer("queue", torch.zeros(length, WIDTH))
        self.register_buffer("numbers", torch.full((length,), _NOBODY))
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))

    def forward(self, first: Tensor, second: Tensor, numbers: Tensor) -> BaseLoss:
        """InfoNCE of the first view's query with the second view's key, which joins the queue afterwards."""
        queries = self.encoder(first)
        with torch.no_grad():
            keys = functional.normalize(self.keys(second), dim=1)
        is_other = (self.numbers != _NOBODY) & (self.numbers != numbers[:, None])
        value = info_nce(queries, keys, self.queue.clone(), is_other)
        self._enqueue(keys, numbers)
        return BaseLoss(value, queries)

    @torch.no_grad()
    def after_update(self, done: int) -> None:
        """Let the keys' encoder follow (equation 2); its batch norms have statistics of their own."""
        for slow, fast in zip(self.keys.parameters(), self.encoder.parameters(), strict=True):
            slow.lerp_(fast, 1 - MOMENTUM)

    @torch.no_grad()
    def _enqueue(self, keys: Tensor, numbers: Tensor) -> None:
        places = (self.place + torch.arange(len(keys), device=keys.device)) % len(self.queue)
        self.queue[places], self.numbers[places] = keys, numbers
        self.place.copy_((self.place + len(keys)) % len(self.queue))


def info_nce(
    queries: Tensor, keys: Tensor, negatives: Tensor, is_other: Tensor, temperature: float = TEMPERATURE
) -> Tensor:
    """The cross entropy of each query's own key among the negatives (equation 1), averaged over queries.

    ``queries``: (N, D); ``keys``: (N, D) and ``negatives``: (M, D), both of length 1; ``is_other``: (N, M)
    bool, the negatives that a query is compared with.
    """
    queries = functional.normalize(queries, dim=1)
    positive = (queries * keys).sum(1, keepdim=True)
    others = (queries @ negatives.mT).masked_fill(~is_other, -torch.inf)
    similarities = torch.cat([positive, others], 1) / temperature
    return functional.cross_entropy(similarities, similarities.new_zeros(len(queries), dtype=torch.int64))
