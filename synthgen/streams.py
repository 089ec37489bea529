"""Random streams keyed by (seed, index, purpose, attempt).

A sample's numbers come only from its own streams, so neither the worker, the batch nor the order in
which samples are made can change them.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt


class Stream:
    """One reproducible sequence of random decisions (Philox counter generator, keyed by a hash)."""

    __slots__ = ("_generator",)

    def __init__(self, seed: int, index: int, purpose: str, attempt: int = 0) -> None:
        name = f"{seed}/{index}/{purpose}/{attempt}".encode()
        key = np.frombuffer(blake2b(name, digest_size=16).digest(), dtype="<u8")
        self._generator = np.random.Generator(np.random.Philox(key=key))

    def uniform(self, bounds: tuple[float, float]) -> float:
        """A float in [low, high)."""
        low, high = bounds
        return low + (high - low) * self._generator.random()

    def log_uniform(self, bounds: tuple[float, float]) -> float:
        """A positive float whose logarithm is uniform between the bounds' logarithms."""
        low, high = np.log(bounds[0]), np.log(bounds[1])
        return float(np.exp(low + (high - low) * self._generator.random()))

    def integer(self, low: int, high: int) -> int:
        """An integer in low … high, both included."""
        return low + int(self._generator.random() * (high - low + 1))

    def boolean(self, probability: float) -> bool:
        """True with the given probability."""
        return self._generator.random() < probability

    def normal(self, mean: float, deviation: float) -> float:
        """A Gaussian float."""
        return float(self._generator.normal(mean, deviation))

    def gamma(self, shape: float, scale: float) -> float:
        """A Gamma(shape, scale) float."""
        return float(self._generator.gamma(shape, scale))

    def weighted(self, weights: Sequence[float]) -> int:
        """A position in ``weights``, with probability proportional to its weight."""
        point = self._generator.random() * sum(weights)
        for position, weight in enumerate(weights):
            point -= weight
            if point < 0:
                return position
        return max(position for position, weight in enumerate(weights) if weight > 0)

    def permutation(self, count: int) -> list[int]:
        """The numbers 0 … count - 1 in random order."""
        return [int(number) for number in self._generator.permutation(count)]

    def gaussian(self, shape: Sequence[int]) -> npt.NDArray[np.float32]:
        """Unit Gaussian noise, float32."""
        return self._generator.standard_normal(tuple(shape), dtype=np.float32)

    def distinct(self, population: int, count: int) -> list[int]:
        """``count`` different numbers out of 0 … population - 1, in random order."""
        return self.permutation(population)[:count]
