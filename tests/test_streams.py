"""Random streams: reproducible, unlike each other, and distributed as they say."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest

from synthgen.streams import Stream

UNIT = (0.0, 1.0)
COUNT = 4000


def many(draw: Callable[[Stream], float], count: int = COUNT) -> list[float]:
    """One stream's numbers."""
    stream = Stream(3, 14, "test")
    return [draw(stream) for _ in range(count)]


def assert_distributed(values: list[float], distribution: str, *arguments: float) -> None:
    from scipy.stats import kstest

    assert kstest(values, distribution, arguments).pvalue > 0.001


def test_a_key_names_one_sequence() -> None:
    first, second = (Stream(7, 3, "cutpaste", 1) for _ in range(2))
    assert [first.uniform(UNIT) for _ in range(5)] == [second.uniform(UNIT) for _ in range(5)]


def test_the_sequence_is_pinned() -> None:
    # Another number here changes every sample that was ever made.
    stream = Stream(7, 3, "cutpaste", 1)
    assert [stream.uniform(UNIT) for _ in range(3)] == PINNED


PINNED = [0.8311024262012476, 0.6446116146328965, 0.5062674381628552]


def test_the_sequence_is_the_same_in_another_process() -> None:
    code = "from synthgen.streams import Stream; print(repr(Stream(7, 3, 'cutpaste', 1).uniform((0.0, 1.0))))"
    for hash_seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert float(run.stdout) == PINNED[0]


def test_every_part_of_the_key_counts() -> None:
    keys = [
        (7, 3, "cutpaste", 0),
        (8, 3, "cutpaste", 0),
        (7, 4, "cutpaste", 0),
        (7, 3, "scar", 0),
        (7, 3, "cutpaste", 1),
        (73, 0, "cutpaste", 0),
        (7, 30, "cutpaste", 0),
        (2**63 - 1, 10**12, "cutpaste", 49),
    ]
    assert len({Stream(*key).uniform(UNIT) for key in keys}) == len(keys)


@pytest.mark.parametrize("part", ["seed", "index", "attempt"])
def test_the_first_numbers_of_neighbouring_streams_are_independent(part: str) -> None:
    key = {"seed": 0, "index": 0, "purpose": "test", "attempt": 0}
    values = [Stream(**{**key, part: number}).uniform(UNIT) for number in range(COUNT)]
    assert_distributed(values, "uniform")
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 4 / COUNT**0.5


def test_uniform() -> None:
    values = many(lambda stream: stream.uniform((-3, 5)))
    assert_distributed(values, "uniform", -3, 8)
    assert min(values) >= -3
    assert max(values) < 5
    assert Stream(0, 0, "test").uniform((0.25, 0.25)) == 0.25


def test_log_uniform() -> None:
    values = many(lambda stream: stream.log_uniform((0.3, 10)))
    assert_distributed(list(np.log(values)), "uniform", np.log(0.3), np.log(10) - np.log(0.3))


def test_normal_and_gamma() -> None:
    assert_distributed(many(lambda stream: stream.normal(2, 3)), "norm", 2, 3)
    assert_distributed(many(lambda stream: stream.gamma(2, 0.05)), "gamma", 2, 0, 0.05)


def assert_even(counts: Counter[object], shares: dict[object, float]) -> None:
    from scipy.stats import chisquare

    assert set(counts) == {value for value, share in shares.items() if share}
    total = sum(counts.values())
    expected = {value: share * total for value, share in shares.items() if share}
    assert chisquare([counts[value] for value in expected], list(expected.values())).pvalue > 0.001


def test_integer_has_both_ends() -> None:
    counts = Counter(many(lambda stream: stream.integer(-2, 3)))
    assert_even(counts, dict.fromkeys(range(-2, 4), 1 / 6))
    assert Stream(0, 0, "test").integer(5, 5) == 5


def test_large_integers_use_all_their_bits() -> None:
    values = [int(value) for value in many(lambda stream: stream.integer(0, 2**53 - 1))]
    assert min(values) >= 0
    assert max(values) < 2**53
    assert_even(Counter(value % 8 for value in values), dict.fromkeys(range(8), 1 / 8))
    assert_distributed([value / 2**53 for value in values], "uniform")


def test_boolean() -> None:
    assert_even(Counter(many(lambda stream: stream.boolean(0.3))), {True: 0.3, False: 0.7})
    assert not any(many(lambda stream: stream.boolean(0), 100))
    assert all(many(lambda stream: stream.boolean(1), 100))


def test_weighted() -> None:
    weights = (0, 2, 0, 1, 0.5, 0)
    counts = Counter(many(lambda stream: stream.weighted(weights)))
    assert_even(counts, {position: weight / 3.5 for position, weight in enumerate(weights)})


def test_weighted_never_leaves_the_weights_by_rounding() -> None:
    class AlmostOne:
        def random(self) -> float:
            return 1 - 2**-53

    stream = Stream(0, 0, "test")
    stream._generator = AlmostOne()  # type: ignore[assignment]
    # What is left of this sum after taking its parts away is 0, not less.
    assert stream.weighted([0.3, 0.7, 0]) == 1
    assert stream.integer(0, 5) == 5


def test_permutations_are_all_equally_likely() -> None:
    stream = Stream(1, 1, "test")
    counts = Counter(tuple(stream.permutation(3)) for _ in range(COUNT))
    assert_even(counts, dict.fromkeys(permutations(range(3)), 1 / 6))
    assert sorted(stream.permutation(100)) == list(range(100))


def test_distinct() -> None:
    stream = Stream(1, 1, "test")
    counts = Counter(tuple(stream.distinct(4, 2)) for _ in range(COUNT))
    assert_even(counts, dict.fromkeys(permutations(range(4), 2), 1 / 12))
