"""What RealNet is trained on: selected features of samples with anomalies and of the good products."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from synthgen.detectors.common.features import FeatureExtractor, Features
from synthgen.detectors.inputs import AnomalySource
from synthgen.detectors.realnet.network import Blocks, Network
from synthgen.streams import Stream

Looked = tuple[Features, Tensor]
"""Features of some samples and then of their good products, all channels on the grid, and the masks."""


class Batch(NamedTuple):
    """One step's: first samples with anomalies, then as many good products that they were made of."""

    given: Blocks
    wanted: Blocks
    """Of the same products without anomalies."""
    masks: Tensor
    """(B, H, W) bool."""


class Pairs(Protocol):
    """Where the steps' batches come from."""

    def batch(self, step: int) -> Batch:
        """Always the same one for a step."""


@dataclass(frozen=True)
class KeptPairs:
    """A fixed number of samples whose features are in memory, in another order in each pass."""

    anomalous: Sequence[Tensor]
    """By block: (N, C, side, side) float16."""
    normal: Sequence[Tensor]
    masks: Tensor
    """(N, H, W) bool."""
    size: int
    """Samples of a batch."""
    seed: int

    @classmethod
    def of(cls, network: Network, looked_at: Sequence[Looked], size: int, seed: int) -> "KeptPairs":
        """The channels that a network has selected."""
        halves = [[block.chunk(2) for block in network.selected(both)] for both, _ in looked_at]
        anomalous, normal = (
            [torch.cat([each[block][half] for each in halves]) for block in range(len(halves[0]))]
            for half in (0, 1)
        )
        return cls(anomalous, normal, torch.cat([masks for _, masks in looked_at]), size, seed)

    def batch(self, step: int) -> Batch:
        """The next samples of the step's pass; the last batch of a pass goes on with its first samples."""
        count = len(self.masks)
        number, position = divmod(step, -(-count // self.size))
        order = Stream(self.seed, number, "order of samples").permutation(count)
        taken = [order[place % count] for place in range(position * self.size, (position + 1) * self.size)]
        anomalous = [block[taken].float() for block in self.anomalous]
        normal = [block[taken].float() for block in self.normal]
        return _batch(anomalous, normal, self.masks[taken])


@dataclass(frozen=True)
class NewPairs:
    """New samples for every step."""

    samples: AnomalySource
    extract: FeatureExtractor
    network: Network
    size: int

    @torch.no_grad()
    def batch(self, step: int) -> Batch:
        """The samples of the step's numbers."""
        [batch] = self.samples.batches(self.size, self.size, first=self.size * step)
        anomalous, normal = (
            self.network.selected(self.network.on_grid(self.extract(images)))
            for images in (batch.images, batch.normals)
        )
        return _batch(anomalous, normal, batch.masks.to(anomalous[0].device))


def _batch(anomalous: Blocks, normal: Blocks, masks: Tensor) -> Batch:
    return Batch(
        [torch.cat(both) for both in zip(anomalous, normal, strict=True)],
        [torch.cat([block, block]) for block in normal],
        torch.cat([masks, torch.zeros_like(masks)]),
    )
