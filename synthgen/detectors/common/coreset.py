"""Exact greedy k-center selection (Gonzalez, 1985), as PatchCore's coreset.

Roth et al., CVPR 2022, algorithm 1. A distance to the nearest centre only shrinks as centres are added, so
what was computed once bounds what it can be later. This saves comparisons twice, and changes no choice:

- Most points are soon near a centre, and are not looked at again until the farthest ones are as near to
  theirs. Only the farthest are kept up to date with all centres.
- Among these the very farthest are compared with each other alone, as long as one of them is farther than
  all others were at the start of the round; then all of them meet the round's centres in one matrix product.
"""

import torch
from torch import Tensor

from synthgen.runtime.progress import Progress

FARTHEST = 8192
"""Points that are kept up to date at a time; more, where more are equally far."""
CANDIDATES = 1024
"""Of these, the points that are compared with each other in a round."""
POINTS_TOGETHER, CENTRES_TOGETHER = 2048, 1024
"""Points and centres that are compared at a time, to stay in the processor's caches."""
ROUNDING = 16 * torch.finfo(torch.float32).eps
"""Squared distances below this share of the largest squared norm are rounding."""


def greedy_coreset(points: Tensor, count: int, first: int, progress: Progress) -> Tensor:
    """Positions (K,) int64 of ``count`` points, each the farthest from those before it; the first is given.

    ``points``: (N, D) float32, finite, N >= count >= 1. Of equally far points the first is taken. K is less
    than ``count`` where all other points repeat chosen ones, but for rounding. Distances are float32: points
    equally far but for a part in a million may change places. Memory: O(N D).
    """
    points = points - points.mean(0)
    norms = points.square().sum(1)
    negligible = ROUNDING * float(norms.max())
    chosen = torch.tensor([first], device=points.device)
    bounds = _nearest(torch.full_like(norms, torch.inf), points, norms, points[chosen])
    """Squared distances to the nearest of the centres that a point was compared with; -inf for a centre."""
    bounds[first] = -torch.inf
    compared = torch.ones_like(norms, dtype=torch.int64)
    """With how many centres, from the first on, a point was compared."""
    while len(chosen) < count and float(bounds.max()) > negligible:
        farthest, others = _farthest(bounds)
        centres = points[chosen]
        for seen in torch.unique(compared[farthest]).tolist():
            if seen < len(chosen):
                late = farthest[compared[farthest] == seen]
                bounds[late] = _nearest(bounds[late], points[late], norms[late], centres[seen:])
        near, near_points, near_norms = bounds[farthest], points[farthest], norms[farthest]
        least = max(others, negligible)
        while len(new := _round(near, near_points, near_norms, count - len(chosen), least)):
            near = _nearest(near, near_points, near_norms, near_points[new])
            near[new] = -torch.inf
            chosen = torch.cat([chosen, farthest[new]])
            progress(len(chosen), count)
        bounds[farthest] = near
        compared[farthest] = len(chosen)
    return chosen.cpu()


def _farthest(bounds: Tensor) -> tuple[Tensor, float]:
    """Positions, ascending, of the points with the highest bounds, and the highest bound of all others."""
    limit = bounds.topk(min(FARTHEST + 1, len(bounds))).values[-1]
    inside = bounds > limit
    if not inside.any():  # so many are equally far
        inside = bounds == limit
    outside = bounds[~inside]
    return inside.nonzero()[:, 0], float(outside.max()) if len(outside) else -torch.inf


def _round(distances: Tensor, points: Tensor, norms: Tensor, most: int, others: float) -> Tensor:
    """The next centres in order, (K,), at most ``most``; all farther than ``others``, the rest of the points.

    Empty only where no point is farther.
    """
    farthest, positions = distances.topk(min(CANDIDATES, len(distances)))
    no_candidate = float(farthest[-1])
    # topk takes any of equal points; argmax takes the first.
    positions = torch.unique(torch.cat([positions, distances.argmax()[None]]))
    squared = _squared_distances(points[positions], norms[positions], points[positions])
    left, between = distances[positions].cpu().numpy(), squared.cpu().numpy()
    picked: list[int] = []
    while len(picked) < most:
        candidate = int(left.argmax())
        if left[candidate] <= others or (picked and left[candidate] <= no_candidate):
            break
        picked.append(candidate)
        left = left.clip(max=between[candidate])
        left[candidate] = -torch.inf
    return positions[picked]


def _nearest(distances: Tensor, points: Tensor, norms: Tensor, centres: Tensor) -> Tensor:
    """The squared distances (N,), or those to the nearest of the centres (K, D) where these are less."""
    nearest = [
        torch.stack(
            [
                _squared_distances(part, part_norms, some).amin(1)
                for some in torch.split(centres, CENTRES_TOGETHER)
            ]
        ).amin(0)
        for part, part_norms in zip(
            torch.split(points, POINTS_TOGETHER), torch.split(norms, POINTS_TOGETHER), strict=True
        )
    ]
    return torch.minimum(distances, torch.cat(nearest))


def _squared_distances(points: Tensor, norms: Tensor, others: Tensor) -> Tensor:
    """(N, M), at least 0."""
    return torch.addmm(norms[:, None] + others.square().sum(1), points, others.mT, alpha=-2).clamp_(min=0)
