"""Statistics against slow counting by hand, and their histograms."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthgen.figures.histograms import draw, text
from synthgen.sample import AbnormalityFacts, Facts
from synthgen.shards.statistics import ShardStatistics, look_normal_sentences, merge

METHODS = ("cutpaste", "scar", "nsa")


def facts(index: int, **fields: Any) -> Facts:
    """The facts of an anomalous sample, some of them given."""
    values: dict[str, Any] = {
        "format_version": 1,
        "fingerprint": "f" * 64,
        "seed": 0,
        "index": index,
        "key": f"{index:09d}",
        "category": "bottle",
        "split": "train",
        "source_path": "a.png",
        "source_sha256": "a" * 64,
        "height": 100,
        "width": 200,
        "channels": 3,
        "label": 1,
        "outcome": "anomalous",
        "reason": "",
        "attempts": 1,
        "method": "cutpaste",
        "strength": 1.0,
        "strength_name": "delta",
        "paired": True,
        "box": [0, 0, 10, 10],
        "area_pixels": 100,
        "area": 0.005,
        "contrast": 20.0,
        "contrast_mean": 10.0,
        "contrast_lab": 5.0,
        "product_type": "object",
        "foreground_area": 0.5,
        "foreground_overlap": 1.0,
        "params": "{}",
    }
    return Facts(**(values | fields))


def normal(index: int, **fields: Any) -> Facts:
    """The facts of a normal sample."""
    empty = {
        "label": 0,
        "outcome": "normal",
        "method": "none",
        "box": [0, 0, 0, 0],
        "area": 0.0,
        "contrast": 0.0,
    }
    return facts(index, **(empty | fields))


@pytest.fixture(scope="module")
def many() -> list[Facts]:
    generator = np.random.default_rng(0)
    made = []
    for index in range(400):
        method = METHODS[generator.integers(3)]
        category = ("bottle", "tile")[generator.integers(2)]
        kind = generator.random()
        if kind < 0.2:
            made.append(normal(index, category=category))
        elif kind < 0.3:
            reason = ("empty mask", "no visible change")[generator.integers(2)]
            made.append(normal(index, outcome="rejected", method=method, reason=reason, attempts=50))
        else:
            left, top = int(generator.integers(190)), int(generator.integers(90))
            made.append(
                facts(
                    index,
                    method=method,
                    category=category,
                    attempts=int(generator.integers(1, 9)),
                    paired=bool(generator.random() < 0.9),
                    box=[
                        left,
                        top,
                        int(generator.integers(left + 1, 201)),
                        int(generator.integers(top + 1, 101)),
                    ],
                    area=round(float(10 ** generator.uniform(-6, 0)), 6),
                    contrast=round(float(generator.uniform(0, 255)), 4),
                )
            )
    return made


def test_counts_and_sums_equal_those_made_by_hand(many: list[Facts]) -> None:
    statistics = ShardStatistics.of(many)
    measured = [one for one in many if one.label and one.paired]
    assert statistics.outcomes == Counter(one.outcome for one in many)
    assert statistics.methods == Counter(one.method for one in many)
    assert statistics.categories == Counter(one.category for one in many)
    assert statistics.attempts == sum(one.attempts for one in many)
    assert (statistics.samples, statistics.measured) == (400, len(measured))
    assert statistics.unpaired == sum(one.label and not one.paired for one in many)
    for method, reasons in statistics.rejected.items():
        for reason, count in reasons.items():
            assert count == sum((one.method, one.reason) == (method, reason) for one in many)
    assert sum(map(sum, (reasons.values() for reasons in statistics.rejected.values()))) == sum(
        one.outcome == "rejected" for one in many
    )
    assert statistics.mean_area == pytest.approx(np.mean([one.area for one in measured]), abs=1e-9)
    assert statistics.mean_contrast == pytest.approx(np.mean([one.contrast for one in measured]), abs=1e-9)


def test_bins_equal_those_of_numpy(many: list[Facts]) -> None:
    statistics = ShardStatistics.of(many)
    measured = [one for one in many if one.label and one.paired]
    exponents = [max(math.log10(one.area), -5) for one in measured]
    assert statistics.areas == np.histogram(exponents, 20, (-5, 0))[0].tolist()
    assert statistics.contrasts == np.histogram([one.contrast for one in measured], 32, (0, 256))[0].tolist()
    x = [(one.box[0] + one.box[2]) / 2 for one in measured]
    y = [(one.box[1] + one.box[3]) / 2 for one in measured]
    assert statistics.positions == np.histogram2d(y, x, 8, ((0, 100), (0, 200)))[0].astype(int).tolist()


def test_merged_parts_equal_the_whole(many: list[Facts]) -> None:
    parts = [many[:1], many[1:130], [], many[130:]]
    assert merge(ShardStatistics.of(part) for part in parts) == ShardStatistics.of(many)
    assert merge([]) == ShardStatistics.of([]) == ShardStatistics()


def test_statistics_survive_json(many: list[Facts]) -> None:
    statistics = ShardStatistics.of(many)
    assert ShardStatistics.model_validate_json(statistics.model_dump_json(), strict=True) == statistics


def test_the_largest_values_have_a_bin() -> None:
    statistics = ShardStatistics.of([facts(0, box=[0, 0, 200, 100], area=1.0, contrast=255.0)])
    assert (statistics.areas[-1], statistics.contrasts[-1], statistics.positions[4][4]) == (1, 1, 1)


def test_text_names_every_count(many: list[Facts]) -> None:
    shown = text(ShardStatistics.of(many))
    counts = Counter(one.method for one in many)
    for method, count in counts.items():
        [line] = [line for line in shown.splitlines() if line.strip().startswith(f"{method} ")]
        assert line.split()[1:3] == [str(count), f"{count / 400:.1%}"]
    assert "scar: empty mask" in shown
    longest = max(line.count("█") for line in shown.splitlines() if "%" in line)
    assert longest == 40


def test_defects_that_look_like_good_products_are_counted_by_the_method_that_made_them() -> None:
    def compared(index: int, abnormal: bool, looked_normal: list[str], **fields: Any) -> Facts:
        found = AbnormalityFacts(share=0.4, excess=0.0, abnormal=abnormal, looked_normal=looked_normal)
        return (facts if fields.get("label", 1) else normal)(index, abnormality=found, **fields)

    some = [
        compared(0, True, [], method="scar"),
        compared(1, True, ["nsa", "nsa", "scar"], method="scar"),
        compared(2, False, [], method="nsa"),  # only reported
        compared(3, False, ["nsa"], method="nsa", label=0, outcome="rejected"),
        compared(4, False, [], method="none", label=0),
        facts(5),
    ]
    statistics = ShardStatistics.of(some)
    assert statistics.looked_at == {"nsa": 4, "scar": 3}
    assert statistics.looked_normal == {"nsa": 4, "scar": 1}
    assert merge([ShardStatistics.of(some[:2]), ShardStatistics.of(some[2:])]) == statistics
    assert look_normal_sentences(statistics) == [
        "nsa: 100% of its defects look like good products here",
        "scar: 33% of its defects look like good products here",
    ]
    assert all(sentence in text(statistics) for sentence in look_normal_sentences(statistics))
    assert "compared with good products" not in text(ShardStatistics.of([facts(0)]))


def test_text_and_picture_do_without_anomalies(tmp_path: Path) -> None:
    for statistics in (ShardStatistics(), ShardStatistics.of([normal(0)])):
        assert "mean" not in text(statistics)
        draw(statistics, tmp_path / "empty.png")
        assert Image.open(tmp_path / "empty.png").width == 1600


def test_picture_shows_bars_as_high_as_the_bins(tmp_path: Path) -> None:
    statistics = ShardStatistics.of(
        [facts(index, contrast=4.0 if index < 30 else 28.0, area=0.05) for index in range(40)]
    )
    draw(statistics, tmp_path / "statistics.png")
    picture = np.array(Image.open(tmp_path / "statistics.png"))
    assert picture.shape[1] == 1600
    right = (picture == (37, 99, 235)).all(axis=2)[:600, 836:]  # the contrasts: 4 bins up to 32 grey levels
    heights = [right[:, round((position + 0.5) * 692 / 4)].sum() for position in range(4)]
    assert heights[1] == heights[2] == 0
    assert heights[0] / heights[3] == pytest.approx(3, rel=0.05)
