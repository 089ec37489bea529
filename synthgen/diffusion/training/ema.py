"""The moving average of a network's weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """Averaged weights, with a warm-up: after k updates they keep at most (1 + k) / (10 + k) of themselves.

    Without it a short training would end with an average of its random first weights.
    """

    def __init__(self, network: nn.Module, most: float) -> None:
        self._most = most
        self.weights: Mapping[str, Tensor] = _copied(network)

    @torch.no_grad()
    def update(self, network: nn.Module, updates: int) -> None:
        """Take up the network's weights after the given number of updates, 1 for the first."""
        keep = min(self._most, (1 + updates) / (10 + updates))
        current = network.state_dict()
        torch._foreach_lerp_(list(self.weights.values()), [current[name] for name in self.weights], 1 - keep)

    @torch.no_grad()
    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from other averaged weights."""
        for name, weight in self.weights.items():
            weight.copy_(weights[name])

    @contextmanager
    def shown_by(self, network: nn.Module) -> Iterator[None]:
        """Give the network the averaged weights for a while."""
        own = _copied(network)
        network.load_state_dict(self.weights)
        try:
            yield
        finally:
            network.load_state_dict(own)


def _copied(network: nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in network.state_dict().items()}
