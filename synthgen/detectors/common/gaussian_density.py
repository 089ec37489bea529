"""One Gaussian of feature vectors, with the covariance of Ledoit and Wolf."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from synthgen.detectors.base import State

SMALLEST_VARIANCE = 1e-8
"""The least variance in any direction: vectors that are all alike have none of their own."""


class Shrunk(NamedTuple):
    """A covariance between that of the vectors and a multiple of the identity."""

    covariance: Tensor
    """(D, D) float64."""
    share: float
    """Of the identity, 0 … 1."""


class GaussianDensity:
    """The Mahalanobis distance from the mean of normal vectors."""

    def __init__(self, mean: Tensor, whitening: Tensor) -> None:
        self._mean, self._whitening = mean, whitening

    @classmethod
    def of(cls, state: State, name: str) -> "GaussianDensity":
        """A density that was saved under a name. Raises KeyError where there is none."""
        return cls(state[f"{name}.mean"], state[f"{name}.whitening"])

    @classmethod
    def fit(cls, vectors: Tensor) -> tuple["GaussianDensity", float]:
        """The density of vectors (N, D), and the share of the identity in its covariance."""
        wide = vectors.double()
        shrunk = ledoit_wolf(wide)
        variances, directions = torch.linalg.eigh(shrunk.covariance)
        whitening = directions / variances.clamp(min=SMALLEST_VARIANCE).sqrt()
        return cls(wide.mean(0).float(), whitening.float()), shrunk.share

    def state(self, name: str) -> State:
        """What `of` needs."""
        return {f"{name}.mean": self._mean, f"{name}.whitening": self._whitening}

    def distances(self, vectors: Tensor) -> Tensor:
        """(..., D) to (...), float32."""
        return ((vectors - self._mean) @ self._whitening).norm(dim=-1)


def unit(vectors: Tensor) -> Tensor:
    """Vectors (..., D) scaled to length 1."""
    return functional.normalize(vectors, dim=-1)


def ledoit_wolf(vectors: Tensor) -> Shrunk:
    """The covariance of vectors (N, D) float64 that is closest to the true one (Ledoit and Wolf, 2004).

    Lemmas 3.2 to 3.5: the sample covariance S is shrunk to its mean variance m times the identity by b² / d²,
    where d² is how far S is from m I and b² how far the single vectors' products are from S, at most d².
    """
    count, width = vectors.shape
    centred = vectors - vectors.mean(0)
    sample = centred.mT @ centred / count
    variance = sample.diagonal().mean()
    identity = torch.eye(width, dtype=sample.dtype, device=sample.device)
    to_identity = ((sample - variance * identity) ** 2).sum()
    # The sum over all vectors x of |x x' - S|² is that of |x|⁴, less N |S|².
    to_products = (centred.square().sum(1).square().sum() / count - sample.square().sum()) / count
    share = 1.0
    if float(to_identity) > 0:
        share = float((to_products / to_identity).clamp(0, 1))
    return Shrunk((1 - share) * sample + share * variance * identity, share)
