"""Bootstrap intervals against the normal theory, and the spread over seeds."""

import numpy as np
import pytest

from synthgen.evaluation.metrics.bootstrap import RESAMPLES, Estimate, Times, bootstrap, spread
from synthgen.streams import Stream


def stream(index: int = 0) -> Stream:
    return Stream(1, index, "bootstrap")


def interval_of_the_mean(values: np.ndarray[tuple[int], np.dtype[np.float64]], index: int = 0) -> Estimate:
    def resampled(times: Times) -> list[float]:
        return [float(np.average(values, weights=times))]

    everything = np.ones(len(values), np.bool_)
    return bootstrap([float(values.mean())], resampled, everything, stream(index))[0]


def test_the_interval_of_a_mean_is_that_of_the_normal_theory() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)
    estimate = interval_of_the_mean(values)
    half_width = 1.96 * values.std() / 20
    assert estimate.value == values.mean()
    assert estimate.low == pytest.approx(values.mean() - half_width, abs=0.15 * half_width)
    assert estimate.high == pytest.approx(values.mean() + half_width, abs=0.15 * half_width)


def test_the_interval_holds_the_truth_nineteen_times_of_twenty() -> None:
    generator = np.random.default_rng(1)
    estimates = [interval_of_the_mean(generator.normal(size=50), index) for index in range(20)]
    inside = sum(estimate.low <= 0 <= estimate.high for estimate in estimates)
    assert 16 <= inside <= 20


def test_normal_and_anomalous_images_are_drawn_apart_and_with_replacement() -> None:
    anomalous = np.arange(30) < 7
    drawn: list[Times] = []

    def resampled(times: Times) -> list[float]:
        drawn.append(times)
        return [0.0]

    bootstrap([0.0], resampled, anomalous, stream())
    assert len(drawn) == RESAMPLES
    assert all((times[anomalous].sum(), times[~anomalous].sum()) == (7, 23) for times in drawn)
    assert np.mean(drawn, axis=0) == pytest.approx(np.ones(30), abs=0.2)
    assert max(times.max() for times in drawn) > 1


def test_the_stream_decides_the_interval() -> None:
    values = np.random.default_rng(2).normal(size=30)
    assert interval_of_the_mean(values, 0) == interval_of_the_mean(values, 0)
    assert interval_of_the_mean(values, 0) != interval_of_the_mean(values, 1)


def test_several_values_have_their_own_intervals() -> None:
    scores = np.random.default_rng(3).normal(size=40)

    def resampled(times: Times) -> list[float]:
        return [float(np.average(scores, weights=times)), float(np.average(scores + 10, weights=times))]

    first, second = bootstrap([1.0, 2.0], resampled, np.ones(40, np.bool_), stream())
    assert (first.value, second.value) == (1.0, 2.0)
    assert (second.low, second.high) == pytest.approx((first.low + 10, first.high + 10))


def test_the_spread_over_seeds() -> None:
    assert spread([0.9, 0.95, 1.0]) == pytest.approx((0.95, 0.05, 0.9, 1.0))
    assert spread([0.9]) == (0.9, None, 0.9, 0.9)
