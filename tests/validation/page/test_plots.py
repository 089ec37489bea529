"""The plots show the report's numbers, always in the same bytes, and leave no trace in matplotlib."""

import re
import sys

import matplotlib
import numpy as np
import pytest

from synthgen.validation.page import plots
from synthgen.validation.report import ValidationReport
from tests.validation.page import examples
from tests.validation.page.parsing import Parsed


def drawn(report: ValidationReport) -> dict[str, str]:
    """All plots of a report."""
    return {
        "forest": plots.forest(report),
        "recall-0": plots.recall(report.detectability[:2], "recall-0"),
        "recall-1": plots.recall(report.detectability[2:4], "recall-1"),
        "agreement": plots.agreement(report),
    }


def markers(svg: str, colour: str) -> "np.typing.NDArray[np.float64]":
    """Where markers of a colour stand: (N, 2) x and y, in the order in which they were drawn."""
    pattern = rf'<use [^>]*?x="([\d.]+)" y="([\d.]+)" style="[^"]*stroke: var\({colour}, '
    return np.array(re.findall(pattern, svg), float)


def test_the_same_report_gives_the_same_bytes(real: ValidationReport) -> None:
    assert drawn(real) == drawn(examples.with_real_defects())


def test_all_colours_are_those_of_the_page(real: ValidationReport) -> None:
    for svg in drawn(real).values():
        assert not re.search(r"#[0-9a-f]{6}\b(?!-)", re.sub(r'(id|href)="[^"]*"|url\([^)]*\)', "", svg))
        assert "font-family" not in svg
        variables = set(re.findall(r"var\((--\w+)", svg))
        assert variables <= set(plots.VARIABLES.values())
        assert "--ink" in variables or "--accent" in variables


def test_a_plot_is_an_element_whose_references_lead_into_itself(real: ValidationReport) -> None:
    ids: list[str] = []
    for name, svg in drawn(real).items():
        parsed = Parsed(svg)
        assert parsed.tags[0][0] == "svg"
        assert set(parsed.tags[0][1]) == {"viewbox", "aria-hidden"}
        own = [str(attributes["id"]) for _, attributes in parsed.tags if "id" in attributes]
        used = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)
        assert used
        assert {first or second for first, second in used} <= set(own)
        assert all(each.startswith(f"{name}-") for each in own)
        ids += own
    assert len(ids) == len(set(ids))


def test_the_forest_places_every_row_by_its_value(real: ValidationReport) -> None:
    svg = plots.forest(real)
    recipes = [row for row in examples.with_real_defects().rows if row.role == "recipe"]
    values = sorted((row.real["image_auroc"].value for row in recipes), reverse=True)
    places = markers(svg, "--accent")[:, 0]
    slope, start = np.polyfit(values, places, 1)
    assert slope > 0
    assert places == pytest.approx(slope * np.array(values) + start, abs=0.01)
    references = sorted(
        (row.real["image_auroc"].value for row in real.rows if row.role == "reference"), reverse=True
    )
    others = markers(svg, "--soft")[-4:, 0]
    assert others == pytest.approx(slope * np.array(references) + start, abs=0.01)
    (line,) = re.findall(r'd="M ([\d.]+) [\d.]+ \nL \1 [\d.]+ \n"[^>]*stroke-dasharray: 3,3', svg)
    assert float(line) == pytest.approx(slope * references[0] + start, abs=0.01)


def test_the_line_stands_at_the_reference_of_the_gains_else_at_the_best(real: ValidationReport) -> None:
    against = [each.model_copy(update={"second": "feature distance"}) for each in real.gains[:8]]
    against += real.gains[8:]  # of another outcome
    for gains, name in ((real.gains, "patchcore"), (against, "feature distance"), ([], "patchcore")):
        report = real.model_copy(update={"gains": gains})
        row = plots.marked(report)
        assert row
        assert row.name == name
        assert name in Parsed(plots.forest(report)).texts


def test_the_forest_names_rows_in_words(real: ValidationReport) -> None:
    texts = Parsed(plots.forest(real)).texts
    assert texts.count("0.98 (0.96–1.00)") == 1
    assert "patchcore (reference)" in texts
    assert "housing_v3-scratche…ture-bank-2026" in texts
    assert not [text for text in texts if "nothing pasted" in text]


def test_recall_stands_at_the_middle_of_its_bin(real: ValidationReport) -> None:
    found = real.detectability[6:8]
    svg = plots.recall(found, "recall-3")
    places = markers(svg, "--accent")[:-1].reshape(3, 4, 2)  # without that of the key
    for bins, drawn_at in zip(found[0].by.values(), places, strict=True):
        for values, axis, sign in (
            ([(one.low + one.high) / 2 for one in bins], 0, 1),
            ([one.recall for one in bins], 1, -1),  # y points down
        ):
            slope, start = np.polyfit(values, drawn_at[:, axis], 1)
            assert slope * sign > 0
            assert drawn_at[:, axis] == pytest.approx(slope * np.array(values) + start, abs=0.01)
    assert {"strength", "area, %", "contrast, grey", "13", "96"} <= set(Parsed(svg).texts)


def test_only_what_was_binned_is_drawn(real: ValidationReport) -> None:
    only = real.detectability[0].model_copy(update={"by": {"area": real.detectability[0].by["area"]}})
    texts = Parsed(plots.recall([only], "recall-0")).texts
    assert "area, %" in texts
    assert not {"strength", "contrast, grey"} & set(texts)


def test_agreement_numbers_the_recipes_from_the_best(real: ValidationReport) -> None:
    assert [row.name for row in plots.agreeing(real)] == list(examples.RECIPES)
    svg = plots.agreement(real)
    places = markers(svg, "--accent")
    values = [
        (row.transfer.value, row.real["image_auroc"].value) for row in plots.agreeing(real) if row.transfer
    ]
    for axis, sign in ((0, 1), (1, -1)):
        slope, start = np.polyfit(np.array(values)[:, axis], places[:, axis], 1)
        assert slope * sign > 0
        assert places[:, axis] == pytest.approx(slope * np.array(values)[:, axis] + start, abs=0.01)
    assert {str(number) for number in range(1, 9)} <= set(Parsed(svg).texts)


def test_names_are_no_formulas_and_may_be_of_any_script(real: ValidationReport) -> None:
    names = ["$x^2$ & <b>", "ねじ\n日本", "back\\slash $"]
    rows = [row.model_copy(update={"name": name}) for row, name in zip(real.rows[-3:], names, strict=True)]
    texts = Parsed(plots.forest(real.model_copy(update={"rows": rows}))).texts
    assert {"$x^2$ & <b>", "ねじ 日本", "back\\slash $"} <= set(texts)


def test_the_users_own_settings_neither_matter_nor_change(real: ValidationReport) -> None:
    plain = plots.forest(real)
    with matplotlib.rc_context({"axes.linewidth": 5, "grid.linestyle": ":", "svg.fonttype": "path"}):
        before = matplotlib.rcParams.copy()
        assert plots.forest(real) == plain
        assert matplotlib.rcParams.copy() == before
    assert "matplotlib.pyplot" not in sys.modules
