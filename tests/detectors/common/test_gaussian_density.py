"""The Gaussian density against scikit-learn and numpy."""

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf
from torch import Tensor

from synthgen.detectors.common.gaussian_density import GaussianDensity, ledoit_wolf, unit


def correlated(count: int, width: int) -> Tensor:
    """Vectors about (1, …, 1) with correlated components of different variance, float64."""
    generator = torch.Generator().manual_seed(count)
    mixing = torch.randn(width, width, generator=generator, dtype=torch.float64)
    return 1 + torch.randn(count, width, generator=generator, dtype=torch.float64) @ mixing


@pytest.mark.parametrize(("count", "width"), [(4, 30), (40, 30), (3000, 30), (2, 3)])
def test_the_covariance_is_scikit_learns(count: int, width: int) -> None:
    vectors = correlated(count, width)
    expected = LedoitWolf().fit(vectors.numpy())
    covariance, share = ledoit_wolf(vectors)
    assert share == pytest.approx(expected.shrinkage_, rel=1e-9)
    assert covariance.numpy() == pytest.approx(expected.covariance_, rel=1e-9, abs=1e-9)


def test_distances_are_mahalanobis() -> None:
    vectors, asked = correlated(40, 30), correlated(6, 30)
    found, share = GaussianDensity.fit(vectors.float())
    expected = LedoitWolf().fit(vectors.numpy())
    assert share == pytest.approx(expected.shrinkage_, rel=1e-4)
    distances = found.distances(asked.float().view(2, 3, 30))
    assert distances.shape == (2, 3)
    assert distances.flatten().numpy() == pytest.approx(
        np.sqrt(expected.mahalanobis(asked.numpy())), rel=1e-3
    )


@pytest.mark.parametrize("count", [1, 5])
def test_vectors_that_are_all_alike_have_a_density(count: int) -> None:
    found, _ = GaussianDensity.fit(torch.full((count, 4), 0.5))
    near, far = found.distances(torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.6]])).tolist()
    assert near == pytest.approx(0, abs=1e-3)
    assert far == pytest.approx(0.1 / 1e-4, rel=1e-3)


def test_a_density_comes_back_from_its_state() -> None:
    vectors = correlated(40, 5).float()
    found, _ = GaussianDensity.fit(vectors)
    again = GaussianDensity.of(found.state("name"), "name")
    assert torch.equal(found.distances(vectors), again.distances(vectors))
    with pytest.raises(KeyError):
        GaussianDensity.of(found.state("name"), "other")


def test_unit_vectors_have_length_1() -> None:
    found = unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    assert torch.allclose(found, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
