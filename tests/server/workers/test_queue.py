"""The queue: every client in turn, what can be made together comes together, within bounds."""

import random
from collections import Counter

from server.workers.jobs import Job, Stored
from server.workers.queue import FairQueue


def job(number: int, batch_key: str = "a", samples: int = 1) -> Job:
    return Job(number, Stored("plan"), range(samples), "json", batch_key, 32)


def numbers(jobs: list[Job]) -> list[int]:
    return [each.number for each in jobs]


def test_clients_take_turns_and_each_is_served_in_order() -> None:
    queue = FairQueue()
    for number in range(4):
        queue.put("busy", job(number))
    queue.put("late", job(10))
    assert [numbers(queue.take(1)) for _ in range(5)] == [[0], [10], [1], [2], [3]]
    assert queue.take(1) == [] and len(queue) == 0


def test_a_batch_is_of_one_key_and_within_its_bounds() -> None:
    queue = FairQueue()
    for number, (key, samples) in enumerate([("a", 10), ("b", 1), ("a", 10), ("a", 20), ("a", 5)]):
        queue.put(f"client {number}", job(number, key, samples))
    assert numbers(queue.take(8)) == [0, 2, 4]
    assert numbers(queue.take(8)) == [1]
    assert numbers(queue.take(8)) == [3]


def test_a_job_larger_than_a_batch_is_a_batch() -> None:
    queue = FairQueue()
    queue.put("client", job(0, samples=100))
    queue.put("client", job(1))
    assert numbers(queue.take(8)) == [0]


def test_a_dropped_job_never_comes() -> None:
    queue = FairQueue()
    for number in range(3):
        queue.put("client", job(number))
    assert queue.drop(1) and not queue.drop(1)
    assert numbers(queue.take(8)) == [0, 2]
    assert queue.drop(0) is False


def test_nothing_is_lost_doubled_or_starved() -> None:
    """Random puts, takes and drops; whoever waits is served before anybody else is served more than twice."""
    stream = random.Random(0)
    queue, waiting, taken = FairQueue(), {}, Counter()
    for number in range(3000):
        client = f"client {stream.randrange(6)}"
        queue.put(client, job(number, stream.choice("ab"), stream.randint(1, 40)))
        waiting[number] = client
        if stream.random() < 0.2:
            dropped = stream.choice(list(waiting))
            assert queue.drop(dropped)
            del waiting[dropped]
        if stream.random() < 0.4:
            batch = queue.take(stream.randint(1, 8))
            assert len({each.batch_key for each in batch}) == 1
            assert len(batch) == 1 or sum(len(each.indices) for each in batch) <= 32
            for each in batch:
                taken[waiting.pop(each.number)] += 1
        assert len(queue) == len(waiting)
    while batch := queue.take(8):
        for each in batch:
            taken[waiting.pop(each.number)] += 1
    assert not waiting and max(taken.values()) < 1.3 * min(taken.values())
