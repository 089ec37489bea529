"""Intervals, differences, claims and orders: against closed forms and scipy."""

from itertools import combinations
from math import inf, sqrt
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau, nct, norm, t

from synthgen.validation.statistics import (
    Measured,
    claim,
    compare,
    comparisons,
    detectable,
    estimate,
    holm,
    kendall,
)


def measured(values: list[float], error: float = 0.0, resamples: int = 2000, seed: int = 0) -> Measured:
    """Values with replicates that err by Gaussian noise, the same for each seed of the fit."""
    noise = np.random.default_rng(seed).normal(0, 1, resamples)
    noise = error * (noise - noise.mean()) / noise.std(ddof=1)
    return Measured(np.array(values), np.array(values)[:, None] + noise)


def test_without_error_of_the_images_the_interval_is_students() -> None:
    found = estimate(measured([0.68, 0.70, 0.75]))
    deviation = np.std([0.68, 0.70, 0.75], ddof=1)
    half_width = t.ppf(0.975, 2) * deviation / sqrt(3)
    assert found.value == pytest.approx(0.71)
    assert (found.low, found.high) == pytest.approx((0.71 - half_width, 0.71 + half_width), abs=0.001)
    assert found.of_seeds == pytest.approx(deviation)
    assert found.of_images == pytest.approx(0)


def test_with_one_seed_the_interval_is_that_of_the_images() -> None:
    found = estimate(measured([0.7], error=0.02))
    assert (found.low, found.high) == pytest.approx((0.7 - 0.0392, 0.7 + 0.0392), abs=0.002)
    assert found.of_images == pytest.approx(0.02)
    assert found.of_seeds is None


def test_both_errors_together_are_wider_than_either() -> None:
    seeds = [0.60 + 0.01 * number for number in range(20)]
    found = estimate(measured(seeds, error=0.02))
    of_seeds = np.std(seeds, ddof=1) / sqrt(20)
    # With 20 seeds Student's t is nearly Gaussian, so that squares add up.
    half_width = 1.96 * sqrt(0.02**2 + of_seeds**2)
    assert (found.high - found.low) / 2 == pytest.approx(half_width, rel=0.06)


def test_an_interval_stays_between_0_and_1() -> None:
    assert (estimate(measured([0.97, 1.0, 1.0])).high, estimate(measured([0.0, 0.0, 0.03])).low) == (1, 0)


def test_an_estimate_is_always_the_same() -> None:
    assert estimate(measured([0.7, 0.8], 0.01)) == estimate(measured([0.7, 0.8], 0.01))


def test_a_row_differs_from_itself_by_exactly_nothing() -> None:
    same = compare(measured([0.7, 0.8, 0.9], 0.02), measured([0.7, 0.8, 0.9], 0.02))
    assert same[:5] == (0, 0, 0, 1, 0)
    saturated = compare(measured([1.0, 1.0]), measured([1.0, 1.0]))
    assert saturated[:5] == (0, 0, 0, 1, 0)
    assert claim(*saturated[:4]) == "indistinguishable"


def test_a_difference_without_any_error_is_sure() -> None:
    found = compare(measured([1.0]), measured([0.5]))
    assert found[:5] == (0.5, 0.5, 0.5, 0, 0)
    assert claim(*found[:4]) == "better"


def test_differences_are_paired_by_image_and_by_seed() -> None:
    # Images and seeds are worth far more than the difference, and move both rows alike.
    first, second = measured([0.5, 0.7, 0.9], 0.1), measured([0.48, 0.68, 0.88], 0.1)
    assert compare(first, second)[:3] == pytest.approx((0.02, 0.02, 0.02))
    unpaired = compare(first, measured([0.68, 0.88, 0.48], 0.1))
    assert unpaired.high - unpaired.low > 0.5


def test_with_gaussian_seeds_alone_the_p_value_is_the_paired_t_tests() -> None:
    from scipy.stats import ttest_rel

    first, second = [0.71, 0.74, 0.78, 0.70], [0.70, 0.71, 0.72, 0.71]
    found = compare(measured(first), measured(second))
    expected = ttest_rel(first, second)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert found.freedom == pytest.approx(3)


def test_degrees_of_freedom_grow_with_the_share_of_the_images() -> None:
    first, second = [0.7, 0.8, 0.9], measured([0.7, 0.7, 0.7])
    error = float(np.std(first, ddof=1)) / sqrt(3)
    equal = compare(measured(first, error=error), second)
    # Welch and Satterthwaite with equal parts: (1 + 1)^2 / (1 / 2) = 8.
    assert (equal.error, equal.freedom) == pytest.approx((error * sqrt(2), 8))
    images_alone = compare(measured([0.71, 0.71], 0.01), measured([0.7, 0.7]))
    assert images_alone.freedom == inf
    assert images_alone.p == pytest.approx(2 * norm.sf(1), rel=1e-6)


def test_seeds_that_are_alike_by_luck_err_as_much_as_those_of_all_pairs() -> None:
    values = np.array([[0.70, 0.80, 0.75], [0.71, 0.81, 0.76001], [0.90, 0.70, 0.85], [0.75, 0.72, 0.66]])
    rows = [measured(list(row)) for row in values]
    of_pairs = [np.var(one - other, ddof=1) for one, other in combinations(values, 2)]
    found = compare(rows[0], rows[1], rows)
    assert found.error == pytest.approx(sqrt(np.mean(of_pairs) / 3))
    assert found.freedom == pytest.approx(6)
    # Seeds that differ more than those of the other pairs are not made to look alike.
    most = int(np.argmax(of_pairs))
    first, second = list(combinations(rows, 2))[most]
    assert compare(first, second, rows).error == pytest.approx(sqrt(of_pairs[most] / 3))


def test_rows_that_no_seed_changes_have_no_error_of_the_seeds() -> None:
    noisy = measured([0.7, 0.8, 0.9])
    rows = [measured([1.0] * 3), measured([1.0] * 3), noisy]
    assert compare(rows[0], rows[1], rows)[:5] == (0, 0, 0, 1, 0)


@pytest.mark.parametrize("value", [0.005, 0.03, 0.034, 0.2])
def test_the_interval_holds_0_where_p_is_above_five_percent(value: float) -> None:
    found = compare(measured([value, value + 0.02, value - 0.02], 0.01), measured([0.0] * 3))
    assert (found.low <= 0 <= found.high) == (found.p > 0.05)


def test_rows_with_other_seeds_are_not_compared() -> None:
    with pytest.raises(ValueError, match="seeds and resamples"):
        compare(measured([0.7, 0.8, 0.9]), measured([0.7]))


def test_holm_on_a_hand_worked_example() -> None:
    # Sorted .005, .01, .03, .04 times 4, 3, 2, 1: .02, .03, .06, .04; the last may not be below .06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == [1, 1]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("difference", "low", "high", "p", "expected"),
    [
        (0.05, 0.02, 0.08, 0.01, "better"),
        (-0.05, -0.08, -0.02, 0.01, "worse"),
        (0.05, 0.02, 0.08, 0.06, "not shown"),
        (0.001, -0.008, 0.01, 0.7, "indistinguishable"),
        (0.001, -0.011, 0.009, 0.7, "not shown"),
        (0.006, 0.004, 0.008, 0.001, "indistinguishable"),
        (0.009, 0.004, 0.014, 0.001, "better"),
    ],
)
def test_what_may_be_claimed(difference: float, low: float, high: float, p: float, expected: str) -> None:
    assert claim(difference, low, high, p) == expected


@pytest.mark.parametrize("freedom", [5, 12, inf])
def test_a_detectable_difference_is_shown_in_80_of_100_cases(freedom: float) -> None:
    difference = detectable(0.02, freedom)
    critical = t.ppf(0.975, freedom)
    reference = norm(difference / 0.02) if freedom == inf else nct(freedom, difference / 0.02)
    assert reference.sf(critical) == pytest.approx(0.8, abs=0.02)


def test_pairs_are_compared_by_name_and_adjusted_together() -> None:
    rows = {
        "good": measured([0.9, 0.91, 0.9], 0.001),
        "bad": measured([0.6, 0.63, 0.62], 0.001, seed=1),
        "same": measured([0.9, 0.91, 0.9], 0.001),
    }
    pairs = [("good", "bad"), ("good", "same"), ("bad", "same")]
    found = comparisons(rows, pairs, "segmenter", "image_auroc")
    assert [(one.first, one.second, one.learner) for one in found] == [(*pair, "segmenter") for pair in pairs]
    assert [one.claim for one in found] == ["better", "indistinguishable", "worse"]
    among = list(rows.values())
    alone = [compare(rows[first], rows[second], among) for first, second in pairs]
    assert [one.p for one in found] == pytest.approx(holm([one.p for one in alone]))
    assert found[0].difference == pytest.approx(0.86 / 3)
    assert found[0].detectable == pytest.approx(detectable(alone[0].error, alone[0].freedom))


def items(means: Any, error: float = 0.0, spread: float = 0.0, seed: int = 0) -> list[Measured]:
    return [
        measured([mean - spread, mean, mean + spread], error, 500, seed + number)
        for number, mean in enumerate(means)
    ]


def test_the_order_of_two_lists_is_compared_by_scipys_tau() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        first, second = (np.round(generator.random(9), 1) for _ in range(2))  # with ties
        found = kendall(items(first), items(second))
        assert found is not None
        assert found.value == pytest.approx(kendalltau(first, second).statistic)
        assert (found.low, found.high) == pytest.approx((found.value, found.value))


def test_the_interval_of_tau_tells_clear_orders_from_unclear_ones() -> None:
    means = np.linspace(0.5, 0.9, 8)
    clear = kendall(items(means, 0.001), items(means, 0.001))
    images = kendall(items(means, 0.1), items(means, 0.1, seed=100))
    seeds = kendall(items(means, spread=0.1), items(means, spread=0.1))
    assert clear is not None and images is not None and seeds is not None
    assert (clear.low, clear.value, clear.high) == (1, 1, 1)
    assert images.low < 0.5 and images.of_images > 0.1 and images.high == images.value == 1
    assert seeds.low < 0.5 and seeds.of_images == 0


def test_tau_over_the_seeds_that_all_items_have() -> None:
    means = np.linspace(0.5, 0.9, 6)
    turned = [Measured(np.array([mean, 1 - mean / 2]), np.full((2, 500), mean)) for mean in means]
    found = kendall(turned, items(means))
    assert found is not None
    assert found.of_seeds == pytest.approx(np.std([1, -1], ddof=1))


def test_few_items_and_equal_ones_have_no_order() -> None:
    assert kendall(items([0.1, 0.2, 0.3, 0.4, 0.5]), items([0.1, 0.2, 0.3, 0.4, 0.5])) is None
    assert kendall(items([1.0] * 6), items(np.linspace(0, 1, 6))) is None
