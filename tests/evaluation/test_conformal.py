"""A threshold keeps its promises: on average, with confidence, with ties and with too few images."""

from math import comb

import numpy as np
import pytest
from scipy.stats import beta

from synthgen.errors import InputError
from synthgen.evaluation.conformal import (
    Threshold,
    conformal_threshold,
    least_images,
    percent,
    promise_notes,
)

DRAWS = 8000
CASES = [(149, 0.05), (99, 0.01), (20, 0.33), (9, 0.2)]


@pytest.mark.parametrize(("images", "asked"), CASES)
def test_the_false_alarm_rate_is_at_most_what_was_asked_for_and_hardly_less(
    images: int, asked: float
) -> None:
    """Scores are uniform, so that the rate of a threshold is what lies above it."""
    draws = np.random.default_rng(0).random((DRAWS, images))
    found = [conformal_threshold(scores, asked) for scores in draws]
    rates = 1 - np.array([each.value for each in found])
    error = rates.std() / DRAWS**0.5
    promised = found[0].false_alarms
    assert asked - 1 / (images + 1) < promised <= asked
    assert rates.mean() == pytest.approx(promised, abs=4 * error)
    assert np.mean(rates <= found[0].upper) == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / DRAWS) ** 0.5)


def test_equal_scores_make_fewer_false_alarms_and_never_more() -> None:
    """Five values, each as likely as the others: the rate of a threshold is the share of values above it."""
    draws = np.random.default_rng(1).integers(0, 5, (DRAWS, 49))
    rates = [(4 - conformal_threshold(scores, 0.3).value) / 5 for scores in draws]
    assert 0 < np.mean(rates) < 0.3
    same = conformal_threshold([7.0] * 99, 0.5)
    assert same.value == 7 and not same.is_ng(7) and same.is_ng(np.nextafter(7, 8))


@pytest.mark.parametrize("asked", [0.01, 0.07, 0.29, 0.5, 0.58, 0.99])
@pytest.mark.parametrize("images", [1, 2, 40, 99, 199])
def test_the_threshold_is_the_one_that_counting_finds(images: int, asked: float) -> None:
    """The lowest score that, as a threshold, keeps (NG + 1) / (n + 1) within what was asked for."""
    scores = np.random.default_rng(images).permutation(images).astype(float)
    within = [each for each in scores if round(100 * asked) * (images + 1) >= 100 * (sum(scores > each) + 1)]
    found = conformal_threshold(scores, asked)
    assert found.value == (min(within) if within else scores.max())
    assert found.false_alarms == (sum(scores > found.value) + 1) / (images + 1)
    assert found.images == images


@pytest.mark.parametrize(("images", "asked"), [*CASES, (1, 0.5), (41, 0.01), (500, 0.9)])
def test_the_bound_with_confidence_is_the_quantile_of_the_beta_distribution(
    images: int, asked: float
) -> None:
    found = conformal_threshold(list(range(images)), asked)
    rank = round(found.false_alarms * (images + 1))
    assert found.upper == pytest.approx(beta.ppf(0.95, rank, images + 1 - rank), rel=1e-9)
    fewer = sum(comb(images, n) * found.upper**n * (1 - found.upper) ** (images - n) for n in range(rank))
    assert fewer == pytest.approx(0.05)


def test_too_few_images_take_the_largest_score_and_say_what_that_promises() -> None:
    few = conformal_threshold(list(range(41)), 0.01)
    assert (few.value, few.false_alarms) == (40, 1 / 42)
    assert promise_notes(few, 0.01) == [
        "with 41 held-out images no threshold can promise less than 2.4 % false alarms, so that is what this "
        "one promises; 1.0 % takes 99 images or more"
    ]
    one = conformal_threshold([3.0], 0.01)
    assert (one.value, one.false_alarms, one.upper) == (3, 0.5, pytest.approx(0.95))
    assert "with 1 held-out image no threshold can promise less than 50.0 %" in promise_notes(one, 0.01)[0]


@pytest.mark.parametrize("asked", [0.01, 0.03, 0.29, 0.5, 0.9, 1e-5])
def test_the_least_images_are_the_first_that_keep_the_promise(asked: float) -> None:
    least = least_images(asked)
    kept = conformal_threshold(np.arange(least), asked)
    assert kept.false_alarms <= asked and promise_notes(kept, asked) == []
    if least > 1:
        broken = conformal_threshold(np.arange(least - 1), asked)
        assert broken.false_alarms > asked and len(promise_notes(broken, asked)) == 1


def test_what_people_read() -> None:
    assert str(conformal_threshold(range(99), 0.01)) == (
        "at most 1.0 % of good products are called NG on average (with 95 % confidence at most 3.0 %), from "
        "99 held-out images"
    )
    assert [percent(share) for share in (0.5, 1 / 42, 0.00661, 0.9996)] == [
        "50.0 %",
        "2.4 %",
        "0.66 %",
        "100.0 %",
    ]


@pytest.mark.parametrize("scores", [[], [1.0, np.nan], [np.inf]])
def test_scores_that_are_none_are_refused(scores: list[float]) -> None:
    with pytest.raises(InputError, match="finite scores of held-out normal images are expected"):
        conformal_threshold(scores, 0.1)


@pytest.mark.parametrize("asked", [0, 1, -0.1, 2, np.nan])
def test_shares_that_are_none_are_refused(asked: float) -> None:
    with pytest.raises(InputError, match="above 0 and below 1 is expected"):
        conformal_threshold([1.0], asked)


def test_a_threshold_is_read_back_as_it_was_written() -> None:
    found = conformal_threshold(np.random.default_rng(2).normal(size=17), 0.2)
    assert Threshold.model_validate_json(found.model_dump_json()) == found
