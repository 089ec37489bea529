"""How sure the numbers of a validation are, and which differences between its rows they show.

Two things would come out otherwise another time: which products were tested, and with which seed a detector
was fitted. Both count everywhere here, as two independent errors that add up.
"""

from collections.abc import Mapping, Sequence
from math import inf, sqrt
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from synthgen.streams import Stream
from synthgen.validation.report import Claim, Comparison, Outcome, Value

LEVEL = 0.95
SIGNIFICANT = 0.05
POWER = 0.8
SAME = 0.01
"""Differences up to this do not matter in practice."""
RANKED = 6
"""The fewest items whose order is compared: 5 agree fully, or disagree fully, by chance once in 60 times."""

Floats = npt.NDArray[np.float64]


class Measured(NamedTuple):
    """An outcome of one row, fitted with S seeds and measured on the same images each time."""

    values: Floats
    """(S,), one for each seed."""
    replicates: Floats
    """(S, R): the same on the images of each resample, which are those of every seed and every row."""


class Difference(NamedTuple):
    """A paired difference of two means over the seeds, and how sure it is."""

    value: float
    low: float
    high: float
    p: float
    """Two-sided, of this difference alone."""
    error: float
    """Standard error, of images and seeds together."""
    freedom: float
    """Degrees of freedom of the standard error; infinite where the seeds add nothing to it."""


def estimate(measured: Measured) -> Value:
    """The mean over the seeds with its 95 % interval, of an outcome from 0 to 1.

    The replicates of the mean show what other images would have changed. To each is added what other seeds
    would have: a draw from Student's t with S - 1 degrees of freedom, times the standard error s / sqrt(S) of
    the seeds' mean; the interval runs between the percentiles of the sums (Efron and Tibshirani, 1993,
    chapter 13). Seeds are not resampled as images are: draws from 3 values repeat each other, their spread is
    a third too small in variance, and nothing in them knows how badly 3 values tell a deviation. Resampled
    intervals are therefore far too narrow; Student's t is exact for Gaussian seeds, at the price of wide
    intervals for few seeds (Student, 1908).

    What images and seeds do together is in both parts, so that the interval is rather too wide than too
    narrow. With one seed it is that of the images alone: of this fitted detector, not of its recipe.
    """
    low, high = np.quantile(_redrawn(measured, 0), [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).clip(0, 1)
    return Value(
        value=float(measured.values.mean()),
        low=float(low),
        high=float(high),
        of_images=float(measured.replicates.mean(axis=0).std(ddof=1)),
        of_seeds=float(measured.values.std(ddof=1)) if len(measured.values) > 1 else None,
    )


def _redrawn(measured: Measured, index: int) -> Floats:
    """Means over the seeds as other images and other seeds would have given them: (R,)."""
    means = measured.replicates.mean(axis=0)
    seeds, resamples = len(measured.values), len(means)
    if seeds == 1:
        return means
    from scipy.special import stdtrit

    # One draw from each of R equally likely parts of the distribution, in random order: less noise than of
    # independent draws, whose tails are heavy.
    parts = np.array(Stream(0, index, "seed level").permutation(resamples))
    return means + measured.values.std(ddof=1) / sqrt(seeds) * stdtrit(seeds - 1, (parts + 0.5) / resamples)


def compare(first: Measured, second: Measured, among: Sequence[Measured] = ()) -> Difference:
    """How much higher the mean of ``first`` is, image by image and seed by seed, with its 95 % t interval.

    The squared standard error is the variance of the replicates plus that of the seeds' mean. The first is
    taken as known; the second is at least what it is on average over all pairs of ``among``, all rows that
    are compared, and has their degrees of freedom; the sum has as many as Welch and Satterthwaite give it
    (Satterthwaite, 1946). Of many pairs some have 3 seeds that are alike by luck: taken alone, they gave a
    winner in 1 of 12 simulated validations of equal recipes. Rows whose difference no seed changes keep that.

    A t test, unlike a share of 2,000 resamples, tells p-values far below 1/2000 apart, as Holm's procedure
    needs; interval and ``p`` agree: 0 is outside where p < .05. Without any error, p is 1 for equal means,
    else 0. With one seed, errors are those of the images alone.

    Raises ValueError for unequal numbers of seeds or resamples.
    """
    if first.replicates.shape != second.replicates.shape:
        raise ValueError(f"seeds and resamples {first.replicates.shape} and {second.replicates.shape} differ")
    from scipy.special import stdtr, stdtrit

    values = first.values - second.values
    value = float(values.mean())
    of_images = float((first.replicates - second.replicates).mean(axis=0).var(ddof=1))
    of_seeds, seeds_freedom = _of_seeds(values, among or (first, second))
    variance = of_images + of_seeds
    share = of_seeds / variance if variance else 0.0
    freedom = seeds_freedom / share**2 if share**2 else inf
    error = sqrt(variance)
    half_width = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(value) / error)) if error else float(value == 0)
    return Difference(value, max(-1.0, value - half_width), min(1.0, value + half_width), p, error, freedom)


def _of_seeds(differences: Floats, among: Sequence[Measured]) -> tuple[float, int]:
    """Variance of the mean of paired differences (S,), and its degrees of freedom.

    The average over all pairs of rows is twice the residual mean square of rows by seeds (Fisher, 1925).
    """
    seeds = len(differences)
    if seeds == 1 or not (own := float(differences.var(ddof=1))):
        return 0.0, 0
    values = np.stack([row.values for row in among])
    residuals = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    freedom = (len(among) - 1) * (seeds - 1)
    return max(own, 2 * float((residuals**2).sum()) / freedom) / seeds, freedom


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for there being several, in the same order (Holm, 1979).

    Claims made where they are below .05 are all true in at least 95 of 100 validations, however the tests
    depend on each other.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, position in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[position]))
        adjusted[position] = highest
    return adjusted


def claim(difference: float, low: float, high: float, p: float) -> Claim:
    """What a difference with this 95 % interval and adjusted p-value allows to say of the first row.

    A difference that is surely at most .01 is called indistinguishable even where it is significant: it does
    not matter in practice. The interval is that of one comparison alone, not adjusted for several.
    """
    if max(-low, high) <= SAME:
        return "indistinguishable"
    if p < SIGNIFICANT:
        return "better" if difference > 0 else "worse"
    return "not shown"


def detectable(error: float, freedom: float) -> float:
    """The least difference that would be significant, tested alone, in 80 of 100 cases.

    The t quantiles at .975 and .8 together, times the standard error (Cohen, 1988, chapter 2).
    """
    from scipy.special import stdtrit

    return error * float(stdtrit(freedom, (1 + LEVEL) / 2) + stdtrit(freedom, POWER))


def comparisons(
    rows: Mapping[str, Measured],
    pairs: Sequence[tuple[str, str]],
    learner: str,
    outcome: Outcome | Literal["transfer"],
) -> list[Comparison]:
    """Compare each pair of rows, by their names; p-values are adjusted over all the pairs."""
    among = [rows[name] for name in sorted({name for pair in pairs for name in pair})]
    differences = [compare(rows[first], rows[second], among) for first, second in pairs]
    adjusted = holm([difference.p for difference in differences])
    return [
        Comparison(
            first=first,
            second=second,
            learner=learner,
            outcome=outcome,
            difference=difference.value,
            low=difference.low,
            high=difference.high,
            p=p,
            claim=claim(difference.value, difference.low, difference.high, p),
            detectable=detectable(difference.error, difference.freedom),
        )
        for (first, second), difference, p in zip(pairs, differences, adjusted, strict=True)
    ]


def kendall(first: Sequence[Measured], second: Sequence[Measured]) -> Value | None:
    """How alike two lists order the same items by their means: tau-b, -1 to 1, ties allowed (Kendall, 1945).

    The interval runs between the percentiles of tau after other images and other seeds (see ``estimate``),
    drawn apart for each item. The items are taken as given: other recipes could be ordered otherwise. Means
    that are redrawn err twice, which brings their orders nearer to chance; an interval that misses tau itself
    is stretched to it. ``of_seeds`` is over the seeds that every item has.

    None for fewer than 6 items, and where all items of one list are equal.
    """
    if len(first) < RANKED:
        return None
    tau = _tau(*(np.array([item.values.mean() for item in items]) for items in (first, second)))
    if np.isnan(tau):
        return None
    images = (np.stack([item.replicates.mean(axis=0) for item in items], axis=1) for items in (first, second))
    redrawn = (
        np.stack([_redrawn(item, 2 * place + side) for place, item in enumerate(items)], axis=1)
        for side, items in enumerate((first, second))
    )
    seeds = min(len(item.values) for item in (*first, *second))
    of_seeds = _tau(*(np.stack([item.values[:seeds] for item in items], axis=1) for items in (first, second)))
    # Equal means order nothing; that is no agreement.
    low, high = np.quantile(np.nan_to_num(_tau(*redrawn)), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Value(
        value=float(tau),
        low=min(float(low), float(tau)),
        high=max(float(high), float(tau)),
        of_images=float(np.nan_to_num(_tau(*images)).std(ddof=1)),
        of_seeds=float(np.nan_to_num(of_seeds).std(ddof=1)) if seeds > 1 else None,
    )


def _tau(first: Floats, second: Floats) -> Floats:
    """Kendall's tau-b along the last axis, (..., K); NaN where all K of one side are equal."""
    one, other = np.triu_indices(first.shape[-1], 1)
    # Means of equal values may differ by a rounding, which orders nothing.
    signs = [np.sign(np.round(side[..., one] - side[..., other], 12)) for side in (first, second)]
    together = (signs[0] * signs[1]).sum(axis=-1)
    ordered = np.prod([(side**2).sum(axis=-1) for side in signs], axis=0)
    return np.divide(together, np.sqrt(ordered), out=np.full_like(ordered, np.nan), where=ordered > 0)
