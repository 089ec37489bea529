"""The table, the Markdown and the JSON of an evaluation."""

import json
from pathlib import Path

import pytest

from synthgen.evaluation.defect_types import DefectType
from synthgen.evaluation.metrics.bootstrap import Estimate
from synthgen.evaluation.metrics.summary import PIXEL_METRICS, RANKING_METRICS
from synthgen.evaluation.protocol import Measured
from synthgen.evaluation.report import (
    COLUMNS,
    Category,
    Report,
    Run,
    defect_types_table,
    markdown,
    markdown_table,
    mean,
    run,
    write,
)
from synthgen.storage.output import OutputDirectory

IMAGE_AUROC, AUPIMO = COLUMNS[0], COLUMNS[-1]


def a_run(seed: int | None, value: float, aupimo: float | None = 0.25) -> Run:
    estimate = Estimate(value, value - 0.1, value + 0.05)
    pixel: dict[str, Estimate | None] = dict.fromkeys(PIXEL_METRICS, estimate)
    pixel["aupimo"] = None if aupimo is None else Estimate(aupimo, 0.0, 1.0)
    defect_types = {"crack": DefectType(images=3, image_auroc=value, pixel_auroc=value / 2, aupro=aupimo)}
    return run(seed, Measured(dict.fromkeys(RANKING_METRICS, estimate), pixel), defect_types)


def a_report(**categories: list[Run]) -> Report:
    return Report(
        dataset="parts",
        layout="mvtec",
        method="padim",
        backbone="resnet18",
        weights="random",
        settings={"image_size": 32},
        image_size=32,
        versions={"numpy": "1"},
        categories=[
            Category(
                category=name, fitted_on=5, normal=2, anomalous=3, notes=[f"a note of {name}"], runs=runs
            )
            for name, runs in categories.items()
        ],
    )


def cells(report: Report) -> list[list[str]]:
    return split(markdown_table(report))


def split(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


def test_one_seed_has_its_interval() -> None:
    heading, rule, row = cells(a_report(nut=[a_run(0, 0.75)]))
    assert heading[:3] == ["category", "images", "image AUROC"]
    assert heading[-1] == "AUPIMO"
    assert set("".join(rule)) == {"-"}
    assert row[:3] == ["nut", "2 + 3", "0.750 [0.650, 0.800]"]
    assert row[-1] == "0.250 [0.000, 1.000]"


def test_several_seeds_have_their_deviation() -> None:
    report = a_report(nut=[a_run(0, 0.7), a_run(1, 0.9)], bolt=[a_run(0, 0.5), a_run(1, 0.5)])
    _, _, nut, bolt, average = cells(report)
    assert nut[2] == "0.800 ± 0.141"
    assert bolt[2] == "0.500 ± 0.000"
    assert average[:3] == ["**mean**", "", "0.650 ± 0.071"]  # of 0.6 and 0.7
    found = mean(report, IMAGE_AUROC)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.6, 0.7))


def test_the_mean_of_one_seed() -> None:
    report = a_report(nut=[a_run(None, 0.7)], bolt=[a_run(None, 0.5)])
    assert cells(report)[-1][2] == "0.600"


def test_what_cannot_be_told_is_a_dash_and_has_no_mean() -> None:
    blind = Run(seed=0, image=None, pixel=a_run(0, 0.5, None).pixel)
    report = a_report(nut=[a_run(0, 0.7)], bolt=[blind])
    _, _, _, bolt, average = cells(report)
    assert (bolt[2], bolt[-1]) == ("–", "–")
    assert (average[2], average[5], average[-1]) == ("–", "0.600", "–")
    assert mean(report, AUPIMO) is None
    nothing = a_report(nut=[Run(seed=0, image=None, pixel=None)])
    assert cells(nothing)[-1][2:] == ["–"] * len(COLUMNS)


def test_each_defect_type_has_a_row() -> None:
    report = a_report(nut=[a_run(0, 0.7), a_run(1, 0.9)], bolt=[a_run(0, 0.5, None), a_run(1, 0.5)])
    heading, _, nut, bolt = split(defect_types_table(report))
    assert heading == ["category", "defect type", "images", "image AUROC", "pixel AUROC", "AUPRO 0.3"]
    assert nut == ["nut", "crack", "3", "0.800 ± 0.141", "0.400 ± 0.071", "0.250 ± 0.000"]
    assert bolt == ["bolt", "crack", "3", "0.500 ± 0.000", "0.250 ± 0.000", "–"]
    assert defect_types_table(report) in markdown(report)


def test_a_category_cannot_break_the_table() -> None:
    assert r"| a\|b " in markdown_table(a_report(**{"a|b": [a_run(0, 0.5)]}))


def test_the_files(tmp_path: Path) -> None:
    report = a_report(nut=[a_run(0, 0.75), a_run(1, 0.75)])
    write(report, OutputDirectory(str(tmp_path)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "report.md"]
    assert Report.model_validate_json((tmp_path / "report.json").read_bytes()) == report
    plain = json.loads((tmp_path / "report.json").read_text())
    assert plain["categories"][0]["runs"][1]["image"]["auroc"] == pytest.approx(
        {"value": 0.75, "low": 0.65, "high": 0.8}
    )
    text = (tmp_path / "report.md").read_text()
    assert text == markdown(report)
    for expected in (
        "# padim on parts (mvtec)",
        "standard deviation over the seeds 0, 1",
        "oracle",
        "- nut: a note of nut",
        "at least half of its area",
        "weights random",
        "image_size 32",
    ):
        assert expected in text
