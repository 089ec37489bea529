"""Exact greedy k-center selection (Gonzalez, 1985), as PatchCore's coreset.

Roth et al., CVPR 2022, algorithm 1. A distance to the nearest centre only shrinks as centres are added, so
what is far now bounds what can be far later: the farthest points are played against each other alone, as long
as one of them is farther than all other points were at the start of the round. Only then are all points
compared with the round's centres, in one matrix product.
"""

from collections.abc import Callable

import torch
from torch import Tensor

CANDIDATES = 1024
"""Farthest points that are played against each other in a round."""
POINTS_TOGETHER = 4096
"""Points compared with a round's centres at a time, to stay in the processor's caches."""
ROUNDING = 16 * torch.finfo(torch.float32).eps
"""Squared distances below this share of the largest squared norm are rounding."""


def greedy_coreset(points: Tensor, count: int, first: int, progress: Callable[[int, int], None]) -> Tensor:
    """Positions (K,) int64 of ``count`` points, each the farthest from those before it; the first is given.

    ``points``: (N, D) float32, finite, N >= count >= 1. Of equally far points the first is taken. K is less
    than ``count`` where all other points repeat chosen ones, but for rounding. Distances are float32: points
    equally far but for a part in a million may change places. Memory: O(N D).
    """
    points = points - points.mean(0)
    norms = points.square().sum(1)
    negligible = ROUNDING * float(norms.max())
    chosen = [first]
    distances = torch.full_like(norms, torch.inf)
    _approach(distances, points, norms, torch.tensor([first], device=points.device))
    while len(chosen) < count:
        centres = _round(distances, points, norms, count - len(chosen), negligible)
        if not len(centres):
            break
        chosen += centres.tolist()
        _approach(distances, points, norms, centres)
        progress(len(chosen), count)
    return torch.tensor(chosen)


def _round(distances: Tensor, points: Tensor, norms: Tensor, most: int, negligible: float) -> Tensor:
    """The next centres in order, (K,): at least one, and none where only rounding is left."""
    farthest, positions = distances.topk(min(CANDIDATES, len(distances)))
    others = float(farthest[-1])
    # topk takes any of equal points; argmax takes the first.
    positions = torch.unique(torch.cat([positions, distances.argmax()[None]]))
    between = _squared_distances(points[positions], norms[positions], points[positions], norms[positions])
    left, between_rows = distances[positions].cpu().numpy(), between.cpu().numpy()
    picked: list[int] = []
    while len(picked) < most:
        candidate = int(left.argmax())
        if left[candidate] <= negligible or (picked and left[candidate] <= others):
            break
        picked.append(candidate)
        left = left.clip(max=between_rows[candidate])
        left[candidate] = -torch.inf
    return positions[picked]


def _approach(distances: Tensor, points: Tensor, norms: Tensor, centres: Tensor) -> None:
    """Lower the squared distances (N,) to those to new centres (K,), which are themselves out of question."""
    chosen, chosen_norms = points[centres], norms[centres]
    for nearest, part, part_norms in zip(
        torch.split(distances, POINTS_TOGETHER),
        torch.split(points, POINTS_TOGETHER),
        torch.split(norms, POINTS_TOGETHER),
        strict=True,
    ):
        squared = _squared_distances(part, part_norms, chosen, chosen_norms)
        torch.minimum(nearest, squared.amin(1), out=nearest)
    distances[centres] = -torch.inf


def _squared_distances(points: Tensor, norms: Tensor, others: Tensor, other_norms: Tensor) -> Tensor:
    """(N, M), at least 0."""
    return torch.addmm(norms[:, None] + other_norms, points, others.mT, alpha=-2).clamp_(min=0)
