"""How many defects are found, against counting, and intervals that hold where samples share an image."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import binomtest

from synthgen.evaluation.recall import JudgedSample, Recall, effective_number, recalls, wilson


def judged(count: int, images: int, seed: int = 0) -> list[JudgedSample]:
    """Samples of two methods; the larger and the stronger a defect is, the more often it is found."""
    stream = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        area, contrast = stream.uniform(0, 0.2), stream.uniform(4, 90)
        method = str(stream.choice(["cutpaste", "nsa"], p=[0.7, 0.3]))
        image = str(stream.integers(images))
        found.append(JudgedSample(method, area, contrast, image, area * contrast > stream.uniform(0, 12)))
    return found


def assert_counted(recall: Recall, samples: Sequence[JudgedSample]) -> None:
    assert (recall.samples, recall.images) == (len(samples), len({each.image for each in samples}))
    assert recall.value == sum(each.found for each in samples) / len(samples)
    assert recall.low <= recall.value <= recall.high


def test_recalls_are_those_that_counting_gives() -> None:
    samples = judged(100, 12)
    by_area, by_contrast = (sorted(samples, key=lambda each: each[field]) for field in (1, 2))
    groups = {
        ("all", "all"): samples,
        ("method", "cutpaste"): [each for each in samples if each.method == "cutpaste"],
        ("method", "nsa"): [each for each in samples if each.method == "nsa"],
        # The cuts lie at a third of the way between the least and the greatest, so at samples 33 and 66.
        ("size", "small"): by_area[:34],
        ("size", "middle"): by_area[34:67],
        ("size", "large"): by_area[67:],
        ("contrast", "low"): by_contrast[:34],
        ("contrast", "middle"): by_contrast[34:67],
        ("contrast", "high"): by_contrast[67:],
    }
    found = recalls(samples)
    assert [(each.by, each.name) for each in found] == list(groups)
    for recall, group in zip(found, groups.values(), strict=True):
        assert_counted(recall, group)
        if recall.by in ("size", "contrast"):
            values = [each.area if recall.by == "size" else each.contrast for each in group]
            assert recall.range == (min(values), max(values))
    values = {(each.by, each.name): each.value for each in found}
    assert values["size", "small"] < values["size", "large"]
    assert values["contrast", "low"] < values["contrast", "high"]


def test_defects_of_one_size_are_not_told_apart_by_it() -> None:
    alike = [each._replace(area=0.1) for each in judged(30, 5)]
    assert {each.by for each in recalls(alike)} == {"all", "method", "contrast"}
    two = [each._replace(area=0.1 if number < 20 else 0.2) for number, each in enumerate(alike)]
    sizes = [each for each in recalls(two) if each.by == "size"]
    assert [each.samples for each in sizes] == [20, 10]
    assert len(recalls(alike[:1])) == 2


@pytest.mark.parametrize("found", [0, 1, 7, 19, 20])
def test_the_interval_is_that_of_wilson(found: int) -> None:
    theirs = binomtest(found, 20).proportion_ci(0.95, "wilson")
    assert wilson(found / 20, 20) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_samples_are_worth_as_many_as_their_images_at_most() -> None:
    assert effective_number(["a", "b", "c"]) == 3
    assert effective_number(["a", "b", "c"] * 5) == pytest.approx(3)
    assert effective_number(["a"] * 9) == 1
    assert effective_number(["a"] * 9 + ["b"]) == pytest.approx(100 / 82)


@pytest.mark.parametrize("alike", [True, False])
def test_intervals_cover_the_truth_whether_samples_of_an_image_are_alike_or_not(alike: bool) -> None:
    """240 samples of 40 images, of which 0.7 would be found; as if they were independent it is half."""
    stream = np.random.default_rng(3)
    covered, naive = [], []
    for _ in range(300):
        images = stream.integers(40, size=240)
        lots = stream.random(40)[images] if alike else stream.random(240)
        samples = [
            JudgedSample("nsa", 0.1, 9.0, str(image), bool(lot < 0.7))
            for image, lot in zip(images, lots, strict=True)
        ]
        [recall, *_] = recalls(samples)
        covered.append(recall.low <= 0.7 <= recall.high)
        low, high = wilson(recall.value, 240)
        naive.append(low <= 0.7 <= high)
    assert np.mean(covered) > 0.92
    assert (np.mean(naive) < 0.65) == alike
