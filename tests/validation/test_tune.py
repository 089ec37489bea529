"""Tuning: bisection finds what can be reckoned, and the recipe that is written is the one that was tried."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import exp, log
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from synthgen.detectors import registry
from synthgen.detectors.choice import DetectorChoice
from synthgen.errors import InputError, RunError
from synthgen.evaluation.recall import effective_number, wilson
from synthgen.recipe.files import load_recipe
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.progress import Progress
from synthgen.validation import tuned_trials
from synthgen.validation.tune import tune
from synthgen.validation.tuned_field import TunedField
from synthgen.validation.tuned_search import TOLERANCE, TRIALS, Trial, missed, nearest, search
from tests.recipes import small_recipe
from tests.validation.dark_products import Darkness, black_boxes, held_out_levels, write_products

CPU = DetectorChoice("darkness", device="cpu")


@pytest.fixture
def products(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures of 32 products, of which 8 will be held out; 64 samples of each strength."""
    monkeypatch.setitem(registry.DETECTORS, "darkness", Darkness)
    monkeypatch.setattr(tuned_trials, "SAMPLES", 64)
    return write_products(tmp_path / "good")


def trial(factor: float, recall: float, rejected: int = 0, samples: int = 1000) -> Trial:
    return Trial(factor, factor, round(recall * samples), tuple(map(str, range(samples))), rejected)


CURVES = {
    "in proportion": (lambda factor: min(factor, 1.0), lambda recall: recall),
    "a square": (lambda factor: min(factor**2, 1.0), lambda recall: recall**0.5),
    "steep": (
        lambda factor: 1 / (1 + exp(-4 * log(factor / 0.1))),
        lambda recall: 0.1 * exp(log(recall / (1 - recall)) / 4),
    ),
    "stronger than written": (lambda factor: min(factor / 5, 1.0), lambda recall: 5 * recall),
}


@pytest.mark.parametrize("target", [0.3, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("curve", CURVES)
def test_bisection_finds_the_factor_that_the_inverse_curve_gives(curve: str, target: float) -> None:
    recall, inverse = CURVES[curve]
    trials = search(lambda factor: trial(factor, recall(factor)), target, (0.02, 5.0))
    chosen = nearest(trials, target)
    assert chosen
    assert len(trials) <= TRIALS
    assert abs(recall(chosen.factor) - target) <= TOLERANCE + 0.001
    # Within what the tolerance leaves, and the steps of 1000 samples.
    low, high = (
        inverse(min(max(target + off, 0.001), 0.999)) for off in (-TOLERANCE - 0.001, TOLERANCE + 0.001)
    )
    assert low <= chosen.factor <= high
    assert missed(trials, chosen, target, "delta") == ""


def test_the_recipe_as_it_stands_is_enough_where_it_is_at_the_target() -> None:
    assert [each.factor for each in search(lambda factor: trial(factor, 0.79), 0.8, (0.02, 5.0))] == [1.0]


def test_full_strength_is_tried_before_it_is_said_that_nothing_is_strong_enough() -> None:
    trials = search(lambda factor: trial(factor, 0.1 * factor), 0.8, (0.02, 5.0))
    assert [each.factor for each in trials] == [1.0, 5.0]
    chosen = nearest(trials, 0.8)
    assert chosen
    told = missed(trials, chosen, 0.8, "delta")
    assert told.startswith(
        "no strength was found at which 80 % are found: at the most that there is (delta 5)"
    )
    assert len(search(lambda factor: trial(factor, 0.1), 0.8, (0.02, 1.0))) == 1


def test_what_can_hardly_be_seen_is_too_weak_whatever_is_found_of_it() -> None:
    trials = search(lambda factor: trial(factor, 1.0, rejected=0 if factor > 0.3 else 500), 0.5, (0.02, 1.0))
    assert len(trials) == TRIALS
    assert not trials[1].usable
    chosen = nearest(trials, 0.5)
    assert chosen
    assert 0.3 < chosen.factor < 0.34
    assert missed(trials, chosen, 0.5, "delta").startswith("even the weakest defects that were tried")
    assert nearest([trial(1.0, 0.5, rejected=500)], 0.5) is None


def test_a_trial_counts_only_samples_with_a_defect_and_its_interval_counts_images() -> None:
    some = Trial(1.0, 0.5, 3, ("a", "a", "b", "c"), 1)
    assert some.recall == 0.75
    assert some.interval == wilson(0.75, effective_number(["a", "a", "b", "c"]))
    assert Trial(1.0, 0.5, 0, (), 3).recall == 0
    assert not Trial(1.0, 0.5, 0, (), 3).usable


def two_methods(**fields: Any) -> Recipe:
    return small_recipe(
        synthesizers=[
            {"method": "cutpaste", "weight": 3, "delta": [0.4, 0.8], "area": [0.01, 0.03]},
            {"method": "cutout", "weight": 1, "delta": [0.2, 0.2], "area": [0.1, 0.1]},
        ],
        **fields,
    )


def test_all_ranges_move_by_one_factor_and_keep_their_relative_width_until_they_are_clipped() -> None:
    moved = TunedField.of(two_methods(), "strength")
    assert moved.name == "delta"
    assert [each.delta for each in moved.at(0.5).synthesizers] == [(0.2, 0.4), (0.1, 0.1)]
    assert [each.delta for each in moved.at(2.0).synthesizers] == [(0.8, 1.0), (0.4, 0.4)]
    assert moved.at(1.0) == two_methods()
    assert moved.value(0.5) == pytest.approx((3 * 0.3 + 1 * 0.1) / 4)
    least, most = moved.factors
    assert [each.delta for each in moved.at(least).synthesizers] == [(0.01, 0.02), (0.005, 0.005)]
    assert [each.delta for each in moved.at(most).synthesizers] == [(1.0, 1.0), (1.0, 1.0)]
    # Nothing else is touched.
    assert [each.area for each in moved.at(2.0).synthesizers] == [(0.01, 0.03), (0.1, 0.1)]  # type: ignore[attr-defined]


def test_the_area_moves_alike() -> None:
    moved = TunedField.of(two_methods(), "area")
    assert [each.area for each in moved.at(3.0).synthesizers] == [(0.03, 0.09), (0.3, 0.3)]  # type: ignore[attr-defined]
    assert [each.delta for each in moved.at(3.0).synthesizers] == [(0.4, 0.8), (0.2, 0.2)]


def test_a_diffusion_method_moves_s_and_keeps_its_opacity() -> None:
    recipe = load_recipe("sdas-strong")
    moved = TunedField.of(recipe, "strength")
    assert moved.name == "s"
    assert [each.s for each in moved.at(0.5).synthesizers] == [(0.2, 0.5), (0.3, 0.75)]  # type: ignore[attr-defined]
    assert [each.delta for each in moved.at(0.5).synthesizers] == [each.delta for each in recipe.synthesizers]


def share_found(levels: list[int], delta: float) -> float:
    """Of black boxes of this opacity: those darker than the darkest held-out product."""
    return float(np.mean([level * (1 - delta) < min(levels) - 0.5 for level in levels]))


@pytest.mark.parametrize("target", [0.5, 0.75])
def test_the_strength_is_the_one_at_which_that_share_is_darker_than_any_good_product(
    products: Path, target: float
) -> None:
    levels = held_out_levels(products, 8)
    found = tune(black_boxes(products), target, detector=CPU)
    assert found.name == "delta"
    assert found.threshold.value == pytest.approx(255 - min(levels), abs=1e-3)
    assert found.fitted_on == 24
    for each in found.curve:
        if len(each.images) == 64:  # others ended early, before every image had its turn
            assert each.recall == pytest.approx(share_found(levels, each.value))
    (cutout,) = found.recipe.synthesizers
    assert cutout.delta == (found.chosen.value, found.chosen.value)
    assert share_found(levels, found.chosen.value) == pytest.approx(found.chosen.recall) == target
    assert [each.value for each in found.curve] == sorted(each.value for each in found.curve)
    assert [note for note in found.notes if "no threshold can promise less than" in note]


class Watching(Darkness):
    """Remembers what it scores."""

    method = "watching"
    scored: list[Tensor] = []  # noqa: RUF012 - emptied by the test

    def predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.scored.extend(images)
        return super().predict(images)


def boxes(images: list[Tensor]) -> list[tuple[int, ...]]:
    """Where each image is darker than its brightest pixel by more than the products are."""
    found = []
    for image in images:
        rows, columns = np.nonzero((image[0] < 0.9 * image[0].max()).numpy())
        found.append((rows.min(), rows.max(), columns.min(), columns.max()))
    return found


def test_every_strength_has_the_same_defects_on_the_same_images(
    products: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.DETECTORS, "watching", Watching)
    Watching.scored.clear()
    stages: list[tuple[str, int]] = []

    @contextmanager
    def watch(what: str, unit: str) -> Iterator[Progress]:
        stages.append((what, len(Watching.scored)))
        yield lambda done, total: None

    recipe = black_boxes(products, synthesizers=[{"method": "cutout", "fill": "black", "delta": [0.8, 1.0]}])
    tune(recipe, 0.75, detector=DetectorChoice("watching", device="cpu"), progress=watch)
    starts = [seen for what, seen in stages if what.startswith("trying delta")] + [len(Watching.scored)]
    trials = [Watching.scored[first:end] for first, end in pairwise(starts)]
    assert len(trials) > 2
    strong = boxes(trials[0])
    weaker = next(each for each in trials[1:] if not np.array_equal(each[0], trials[0][0]))
    assert len(set(strong)) > 20
    assert boxes(weaker)[: len(strong)] == strong[: len(weaker)]
    assert [image.max() for image in weaker[: len(strong)]] == [
        image.max() for image in trials[0][: len(weaker)]
    ]


def test_the_written_recipe_is_the_tuned_one_and_says_how_it_came_about(
    products: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "tuned.yaml"
    found = tune(black_boxes(products), 0.5, out=out, detector=CPU)
    assert load_recipe(out) == found.recipe
    text = out.read_text()
    comment = " ".join(re.findall(r"^# (.*)$", text, re.MULTILINE))
    assert text.startswith("# Tuned so that 50 % of the defects are found: delta 0.")
    assert "darkness finds 50 % (" in comment
    assert "defects at 11.1 % false alarms" in comment
    assert "fitted on 24 normal images of good, and the defects were made of 8 others" in comment
    assert str(tmp_path) not in comment
    drawn = ElementTree.fromstring((tmp_path / "new" / "tuned.svg").read_text())
    words = [element.text for element in drawn.iter() if element.tag.endswith("text")]
    assert "opacity delta (middle of the range)" in words
    assert "boxes, darkness" in words
    assert sorted(file.name for file in out.parent.iterdir()) == ["tuned.svg", "tuned.yaml"]
    first = (tmp_path / "new" / "tuned.svg").read_bytes()
    again = tune(black_boxes(products), 0.5, out=out, detector=CPU)
    assert (again.chosen, out.read_text(), (out.parent / "tuned.svg").read_bytes()) == (
        found.chosen,
        text,
        first,
    )


def test_the_source_and_the_recipes_name_can_be_given(products: Path) -> None:
    found = tune("cutpaste", 0.5, products, detector=CPU)
    assert found.recipe.source.location == str(products)
    assert found.recipe.count == load_recipe("cutpaste").count


def test_a_share_that_is_out_of_reach_gives_the_nearest_end_and_says_so(products: Path) -> None:
    unchanged = black_boxes(
        products,
        judge={"min_contrast": 0},
        synthesizers=[{"method": "cutout", "fill": "mean", "delta": [0.5, 0.5]}],
    )
    found = tune(unchanged, 0.5, detector=CPU)
    assert found.chosen.recall == 0
    assert found.notes[-1].startswith(
        "no strength was found at which 50 % are found: at the most that there is"
    )

    for file in products.iterdir():
        file.unlink()
    products.rmdir()
    alike = write_products(products, least=200, step=1)
    easy = tune(black_boxes(alike, judge={"min_contrast": 60}), 0.5, detector=CPU)
    assert easy.chosen.recall == 1
    assert easy.notes[-1].startswith("even the weakest defects that were tried and can be seen (delta 0.3")
    assert any("more than 1 % of the samples show no defect" in note for note in easy.notes)
    (cutout,) = easy.recipe.synthesizers
    assert 60 - 1 < 200 * cutout.delta[0] < 60 + 3


def test_a_recipe_without_a_defect_at_any_strength_is_a_failed_run(products: Path) -> None:
    invisible = black_boxes(products, attempts=1, synthesizers=[{"method": "cutout", "fill": "mean"}])
    with pytest.raises(RunError, match=r"more than 1 % of the samples show no defect \(no visible change\)"):
        tune(invisible, 0.5, detector=CPU)


@pytest.mark.parametrize("share", [0, 1, 1.5, -0.2, float("nan")])
def test_a_share_is_above_0_and_below_1(products: Path, share: float) -> None:
    with pytest.raises(InputError, match="the share of the defects that is to be found is expected"):
        tune(black_boxes(products), share, detector=CPU)


def test_a_field_is_strength_or_area(products: Path) -> None:
    with pytest.raises(InputError, match="field 'size': strength or area can be tuned"):
        tune(black_boxes(products), 0.5, field="size", detector=CPU)  # type: ignore[arg-type]


def write_noise(folder: Path, count: int) -> Path:
    """Pictures of grey noise, each another."""
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(60, 200, (32, 32), dtype=np.uint8)
        Image.fromarray(pixels).resize((64, 64)).save(folder / f"{number}.png")
    return folder


def test_a_real_detector_tunes_all_kinds_of_methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuned_trials, "SAMPLES", 32)
    monkeypatch.setattr(tuned_trials, "BATCH", 16)
    source = write_noise(tmp_path / "good", count=16)
    padim = DetectorChoice("padim", {"image_size": 64, "channels": 20}, device="cpu")
    synthesizers = [{"method": "cutout", "fill": "random"}, {"method": "perlin-texture"}]
    found = tune(black_boxes(source, synthesizers=synthesizers), 0.6, detector=padim)
    assert found.detector == "padim (efficientnet_lite0)"
    assert (found.fitted_on, found.threshold.images) == (12, 4)
    recalls = [each.recall for each in found.curve]
    assert recalls == sorted(recalls)
    assert abs(found.chosen.recall - 0.6) == min(abs(recall - 0.6) for recall in recalls) < 0.1
    both = [each.delta for each in found.recipe.synthesizers]
    factor = both[1][0] / 0.2
    assert both[0] == (pytest.approx(min(factor, 1), rel=1e-3),) * 2
