"""Which worker of a cluster makes which shard: the bookkeeping of a run whose workers come and go."""

from collections import Counter, deque
from collections.abc import Hashable, Sequence

from synthgen.errors import RunError

IN_FLIGHT = 2
"""Shards that a worker has at a time: the one it makes, and the next, so that it never waits for us."""
MOST_LOSSES = 5
"""How often a shard may be lost with the worker that made it: more often, the shard is the reason."""


class ShardQueue:
    """Shards that wait and shards that are being made; ``W`` names a worker and is whatever a caller likes.

    A shard whose worker is lost waits again, before the others. When nothing waits, what others still make is
    given to idle workers, too, for the others may be slow or gone; the same shard is the same bytes.
    """

    def __init__(self, shards: Sequence[int]) -> None:
        self._waiting = deque(shards)
        self._doing: dict[Hashable, list[int]] = {}
        self._finished: set[int] = set()
        self._losses: Counter[int] = Counter()
        self._left = len(shards)

    @property
    def is_done(self) -> bool:
        """Whether every shard was finished."""
        return not self._left

    def next_for(self, worker: Hashable) -> int | None:
        """Give a worker another shard; None where it has enough, or there is nothing for it."""
        own = self._doing.setdefault(worker, [])
        if len(own) >= IN_FLIGHT:
            return None
        shard = self._waiting.popleft() if self._waiting else self._second_try(worker)
        if shard is not None:
            own.append(shard)
        return shard

    def finish(self, worker: Hashable, shard: int) -> bool:
        """A worker finished a shard; whether nobody had done so before."""
        self._doing[worker].remove(shard)
        if shard in self._finished:
            return False
        self._finished.add(shard)
        self._left -= 1
        return True

    def lose(self, worker: Hashable, why: str) -> None:
        """A worker is gone, and with it what it had.

        Raises RunError where the shard that it was making was lost too often.
        """
        had = self._doing.pop(worker, [])
        if had:
            self._count_loss(had[0], why)
        elsewhere = {shard for each in self._doing.values() for shard in each}
        for shard in reversed(had):
            if shard not in self._finished and shard not in elsewhere:
                self._waiting.appendleft(shard)

    def _count_loss(self, shard: int, why: str) -> None:
        self._losses[shard] += 1
        if self._losses[shard] > MOST_LOSSES:
            raise RunError(
                f"shard {shard} was lost {self._losses[shard]} times with the worker that made it ({why}); "
                "the machines may be out of memory: start fewer workers on each, and run the same command "
                "again, what is finished is kept"
            )

    def _second_try(self, worker: Hashable) -> int | None:
        """A shard that one other worker has, for an idle one: first those that nobody has begun."""
        if self._doing[worker]:
            return None
        had = Counter(shard for each in self._doing.values() for shard in each)
        not_begun = [shard for each in self._doing.values() for shard in each[1:]]
        begun = [each[0] for each in self._doing.values() if each]
        return next((shard for shard in [*not_begun, *begun] if had[shard] == 1), None)
