"""Ranking metrics against their definitions, spelled out, and against scikit-learn."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from synthgen.errors import InputError
from synthgen.evaluation.metrics import ranking as ranking_module
from synthgen.evaluation.metrics.ranking import (
    Ranking,
    auroc,
    average_precision,
    oracle_f1,
    rank_images,
    tpr_at_fpr,
)

LIMITS = (0.0, 0.01, 0.05, 0.29, 0.5, 1.0)


def by_definition(scores: npt.NDArray[Any], anomalous: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Every metric by comparing every pair, or by trying every threshold."""
    pairs = [(a > n) + 0.5 * (a == n) for a in scores[anomalous] for n in scores[~anomalous]]
    precision, recall, false_positives, f1 = [1.0], [0.0], [0.0], [0.0]
    for threshold in sorted(set(scores.tolist()), reverse=True):
        called = scores >= threshold
        hits = int((called & anomalous).sum())
        precision.append(hits / int(called.sum()))
        recall.append(hits / int(anomalous.sum()))
        false_positives.append(int((called & ~anomalous).sum()) / int((~anomalous).sum()))
        f1.append(2 * hits / (int(called.sum()) + int(anomalous.sum())))
    return {
        "auroc": float(np.mean(pairs)),
        "average_precision": float(
            sum(p * step for p, step in zip(precision[1:], np.diff(recall), strict=True))
        ),
        "oracle_f1": max(f1),
        **{
            f"tpr {limit}": max(r for r, rate in zip(recall, false_positives, strict=True) if rate <= limit)
            for limit in LIMITS
        },
    }


def measured(ranking: Ranking) -> dict[str, float]:
    return {
        "auroc": auroc(ranking),
        "average_precision": average_precision(ranking),
        "oracle_f1": oracle_f1(ranking).value,
        **{f"tpr {limit}": tpr_at_fpr(ranking, limit) for limit in LIMITS},
    }


def items(seed: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Scores of 2 to 120 items: some of few levels and so with ties, some float32, some float64."""
    generator = np.random.default_rng(seed)
    count = int(generator.integers(2, 120))
    scores = generator.normal(size=count)
    if seed % 2:
        scores = np.round(scores * (1 + seed % 7)) / 4
    anomalous = generator.random(count) < generator.uniform(0.02, 0.98)
    anomalous[:2] = (True, False)
    return (scores + anomalous * 0.7).astype(np.float32 if seed % 3 else np.float64), anomalous


@pytest.mark.parametrize("chunk", [3, 2**20])
def test_metrics_are_those_of_their_definitions(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking_module, "CHUNK", chunk)
    for seed in range(60):
        scores, anomalous = items(seed)
        assert measured(rank_images(scores, anomalous)) == pytest.approx(
            by_definition(scores, anomalous), abs=1e-12
        )


def test_metrics_are_scikit_learns() -> None:
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

    for seed in range(20):
        scores, anomalous = items(seed)
        ranking = rank_images(scores, anomalous)
        precision, recall, _ = precision_recall_curve(anomalous, scores)
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
        assert auroc(ranking) == pytest.approx(roc_auc_score(anomalous, scores), abs=1e-12)
        assert average_precision(ranking) == pytest.approx(
            average_precision_score(anomalous, scores), abs=1e-12
        )
        assert oracle_f1(ranking).value == pytest.approx(f1.max(), abs=1e-12)


def test_the_oracles_threshold_reaches_its_f1() -> None:
    for seed in range(20):
        scores, anomalous = items(seed)
        best = oracle_f1(rank_images(scores, anomalous))
        called = scores >= best.threshold
        assert 2 * (called & anomalous).sum() / (called.sum() + anomalous.sum()) == pytest.approx(best.value)


ANOMALOUS = np.arange(40) < 2


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        # Never 0.525, which the trapezoid under precision and recall gives to a constant detector.
        (np.zeros(40), {"auroc": 0.5, "average_precision": 0.05, "oracle_f1": 4 / 42, "tpr 0.05": 0.0}),
        (ANOMALOUS * 1.0, {"auroc": 1.0, "average_precision": 1.0, "oracle_f1": 1.0, "tpr 0.0": 1.0}),
        # Inverted, a detector is worse than chance: its AUROC is not turned round.
        (
            -1.0 * ANOMALOUS,
            {"auroc": 0.0, "average_precision": 0.05, "oracle_f1": 4 / 42, "tpr 0.5": 0.0, "tpr 1.0": 1.0},
        ),
    ],
    ids=["constant", "perfect", "inverted"],
)
def test_hand_made_detectors(scores: npt.NDArray[np.float64], expected: dict[str, float]) -> None:
    found = measured(rank_images(scores, ANOMALOUS))
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_noise_is_chance() -> None:
    generator = np.random.default_rng(3)
    anomalous = generator.random(200_000) < 0.05
    found = measured(rank_images(generator.random(200_000, dtype=np.float32), anomalous))
    assert found["auroc"] == pytest.approx(0.5, abs=0.01)
    assert found["average_precision"] == pytest.approx(0.05, abs=0.003)
    assert found["tpr 0.29"] == pytest.approx(0.29, abs=0.02)


def test_a_rate_that_is_the_limit_is_within_it() -> None:
    # 29 of 100 normal items score higher, and 0.29 * 100 is 28.999999999999996.
    ranking = Ranking(np.array([70.5]), np.arange(100.0))
    assert tpr_at_fpr(ranking, 0.29) == 1
    assert tpr_at_fpr(ranking, 0.289) == 0


def test_neighbouring_floats_are_not_ties() -> None:
    scores = np.array([1, np.nextafter(np.float32(1), np.float32(2))], np.float32)
    assert auroc(rank_images(scores, np.array([False, True]))) == 1
    assert auroc(rank_images(scores, np.array([True, False]))) == 0


@pytest.mark.parametrize(
    ("scores", "anomalous", "message"),
    [
        ([0.1, 0.2], [True, True], "all 2 images are anomalous; metrics need at least one normal image"),
        ([0.1, 0.2], [False, False], "all 2 images are normal; metrics need at least one anomalous image"),
        ([0.1, np.nan], [False, True], "image 1 has a score that is NaN or infinite"),
        ([np.inf, 0.1], [False, True], "image 0 has a score that is NaN or infinite"),
        ([0.1], [False, True], "(1,) scores for (2,) labels"),
        ([], [], "images are"),
    ],
)
def test_what_cannot_be_measured_is_refused(scores: list[float], anomalous: list[bool], message: str) -> None:
    with pytest.raises(InputError) as error:
        rank_images(np.array(scores, np.float64), np.array(anomalous, np.bool_))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
