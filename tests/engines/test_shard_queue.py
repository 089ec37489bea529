"""The bookkeeping of a cluster's run, against a simulation in which workers are slow, lost and come back."""

import random

import pytest

from synthgen.engines.shard_queue import IN_FLIGHT, MOST_LOSSES, ShardQueue
from synthgen.errors import RunError


def test_shards_are_given_in_order_two_at_a_time() -> None:
    queue = ShardQueue([3, 5, 7, 9, 11])
    assert [queue.next_for("a") for _ in range(3)] == [3, 5, None]
    assert [queue.next_for("b") for _ in range(3)] == [7, 9, None]
    assert queue.finish("a", 3) and queue.next_for("a") == 11
    assert not queue.is_done


def test_what_a_lost_worker_had_waits_again_before_the_rest() -> None:
    queue = ShardQueue([1, 2, 3, 4])
    assert [queue.next_for("a"), queue.next_for("a")] == [1, 2]
    queue.lose("a", "killed")
    assert [queue.next_for("b"), queue.next_for("b")] == [1, 2]
    assert queue.next_for("a") == 3  # it came back


def test_idle_workers_try_what_others_have_not_begun_and_then_what_they_make() -> None:
    queue = ShardQueue([1, 2, 3])
    assert [queue.next_for("a"), queue.next_for("a"), queue.next_for("b")] == [1, 2, 3]
    assert queue.next_for("b") is None  # it is not idle
    assert [queue.next_for("c"), queue.next_for("c")] == [2, None]
    assert queue.next_for("d") == 1 and queue.next_for("e") == 3 and queue.next_for("f") is None
    assert queue.finish("c", 2)
    assert queue.finish("a", 1) and not queue.finish("a", 2) and not queue.finish("d", 1)
    assert not queue.is_done
    queue.lose("b", "killed")  # 3 is still with e
    assert queue.next_for("a") == 3
    assert queue.finish("e", 3) and queue.is_done


def test_a_finished_shard_is_not_made_again_when_its_second_maker_is_lost() -> None:
    queue = ShardQueue([1])
    assert queue.next_for("a") == 1 and queue.next_for("b") == 1
    assert queue.finish("a", 1)
    queue.lose("b", "killed")
    assert queue.is_done and queue.next_for("a") is None


def test_a_shard_that_takes_every_worker_with_it_ends_the_run() -> None:
    queue = ShardQueue([1, 2])
    for number in range(MOST_LOSSES):
        assert queue.next_for(number) == 1 and queue.next_for(number) == 2
        queue.lose(number, "killed by signal 9")
    assert queue.next_for("last") == 1
    with pytest.raises(RunError, match=r"shard 1 was lost 6 times .*killed by signal 9"):
        queue.lose("last", "killed by signal 9")


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_every_shard_is_finished_exactly_once(seed: int) -> None:
    """Workers of different speeds; some are lost, at most so often that no shard can be lost too often."""
    chance = random.Random(seed)
    shards = list(range(chance.randint(0, 40)))
    queue, firsts, losses = ShardQueue(shards), [], 0
    has: dict[int, list[int]] = {worker: [] for worker in range(chance.randint(1, 6))}
    for _ in range(100_000):
        if queue.is_done:
            break
        worker = chance.choice(list(has))
        if chance.random() < 0.1 and losses < MOST_LOSSES:
            losses += 1
            has[worker] = []
            queue.lose(worker, "killed")
        elif has[worker] and chance.random() < (0.02 if worker == 0 else 0.5):
            shard = has[worker].pop(0)
            if queue.finish(worker, shard):
                firsts.append(shard)
        elif (given := queue.next_for(worker)) is not None:
            has[worker].append(given)
            assert len(has[worker]) <= IN_FLIGHT
    assert queue.is_done and sorted(firsts) == shards
