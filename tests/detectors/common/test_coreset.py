"""The pruned greedy coreset against the plain one."""

import pytest
import torch
from torch import Tensor

from synthgen.detectors.common import coreset
from synthgen.detectors.common.coreset import greedy_coreset
from tests.detectors.images import no_progress
from tests.detectors.oracles import plain_greedy


def clustered_points(count: int, dimensions: int, offset: float = 0) -> Tensor:
    """Points of very different density, as features are."""
    generator = torch.Generator().manual_seed(3)
    centres = torch.randn(20, dimensions, generator=generator) * 5
    widths = torch.rand(20, 1, generator=generator) ** 2 * 3
    of = torch.randint(0, 20, (count,), generator=generator)
    return offset + centres[of] + widths[of] * torch.randn(count, dimensions, generator=generator)


@pytest.mark.parametrize(("candidates", "farthest"), [(1, 1), (1, 50), (7, 100), (1024, 400), (9999, 9999)])
@pytest.mark.parametrize(("dimensions", "offset"), [(2, 0), (16, 0), (16, 1000)])
def test_the_same_points_are_chosen_in_the_same_order(
    candidates: int, farthest: int, dimensions: int, offset: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coreset, "CANDIDATES", candidates)
    monkeypatch.setattr(coreset, "FARTHEST", farthest)
    monkeypatch.setattr(coreset, "CENTRES_TOGETHER", 40)
    monkeypatch.setattr(coreset, "POINTS_TOGETHER", 300)
    points = clustered_points(2500, dimensions, offset)
    chosen = greedy_coreset(points, 250, 17, no_progress)
    assert chosen.tolist() == plain_greedy(points.double().numpy(), 250, 17)


@pytest.mark.parametrize("candidates", [1, 5, 1024])
@pytest.mark.parametrize("farthest", [1, 30, 8192])
def test_of_equally_far_points_the_first_is_chosen(
    candidates: int, farthest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a lattice nearly every choice is a tie; its mean is 0 and its distances are exact."""
    monkeypatch.setattr(coreset, "CANDIDATES", candidates)
    monkeypatch.setattr(coreset, "FARTHEST", farthest)
    steps = torch.arange(-3.0, 4.0)
    lattice = torch.cartesian_prod(steps, steps, steps)
    lattice = lattice[torch.randperm(len(lattice), generator=torch.Generator().manual_seed(4))]
    chosen = greedy_coreset(lattice, 300, 5, no_progress)
    assert chosen.tolist() == plain_greedy(lattice.double().numpy(), 300, 5)


def test_all_points_can_be_chosen() -> None:
    points = torch.randn(50, 3, generator=torch.Generator().manual_seed(5))
    assert sorted(greedy_coreset(points, 50, 0, no_progress).tolist()) == list(range(50))


def test_repeated_points_are_chosen_once() -> None:
    """Also away from the origin, where a distance of 0 is not computed as one."""
    points = clustered_points(40, 100, offset=30)
    repeated = points.repeat(25, 1)
    chosen = greedy_coreset(repeated, 500, 3, no_progress)
    assert len(chosen) == 40
    assert sorted(position % 40 for position in chosen.tolist()) == list(range(40))


def test_of_constant_points_one_is_chosen() -> None:
    assert greedy_coreset(torch.full((1000, 5), 0.1), 100, 7, no_progress).tolist() == [7]


def test_many_points_need_no_matrix_of_their_distances() -> None:
    """Of 300,000 points it would have 360 GB."""
    points = torch.rand(300_000, 2, generator=torch.Generator().manual_seed(6))
    chosen = points[greedy_coreset(points, 100, 0, no_progress)]
    radius = torch.cdist(points, chosen).amin(1).max()
    between = torch.cdist(chosen, chosen).fill_diagonal_(torch.inf).min()
    assert radius <= between


def test_progress_ends_at_the_count() -> None:
    news: list[tuple[int, int]] = []
    greedy_coreset(clustered_points(5000, 4), 500, 0, lambda *each: news.append(each))
    assert news[-1] == (500, 500)
    assert [done for done, _ in news] == sorted(done for done, _ in news)


def test_the_points_are_left_as_they_were() -> None:
    points = clustered_points(200, 4)
    before = points.clone()
    greedy_coreset(points, 20, 0, no_progress)
    assert torch.equal(points, before)
