"""`synthgen validate`: one line for what cannot be, and two reports beside each other."""

from pathlib import Path

import pytest

from synthgen.validation.report import Row, ValidationReport, Value
from tests.cli.helpers import Run
from tests.server.reports import a_report

WRONG = {
    "no recipe": (("--source", "good", "--out", "new"), "validate expects a recipe, by name or file"),
    "no source": (("nsa", "--out", "new"), "validate expects --source"),
    "no place": (("nsa", "--source", "good"), "validate expects --out"),
    "small tiles": (
        ("nsa", "--source", "good", "--out", "new", "--tile", "8"),
        "--tile 8: 32 pixels or more",
    ),
    "a budget": (("nsa", "--source", "good", "--out", "new", "--budget", "huge"), "invalid choice: 'huge'"),
    "reports and more": (("nsa", "--compare", "a", "b"), "--compare takes two directories of reports"),
    "several products": (
        ("nsa", "--source", "builtin", "--out", "new"),
        "holds 3 products (brick, grass, gr",
    ),
    "few pictures": (
        ("nsa", "--source", "builtin", "--category", "brick", "--out", "new"),
        "has 4 normal images of 4 parts; at least 8",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_said_in_a_line(
    case: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, message = WRONG[case]
    run("validate", *arguments).assert_refused(message.replace("(", r"\(").replace(")", r"\)"))
    assert not (tmp_path / "new" / "cells").exists()


def value(number: float, error: float) -> Value:
    return Value(value=number, low=number, high=number, of_images=error, of_seeds=None)


def written(folder: Path, number: float, error: float) -> str:
    row = Row(
        name="nsa",
        role="recipe",
        learner="segmenter",
        seeds=1,
        real={"image_auroc": value(number, error)},
        seconds=1,
    )
    report: ValidationReport = a_report().model_copy(update={"rows": [row]})
    folder.mkdir()
    (folder / "report.json").write_text(report.model_dump_json())
    return str(folder)


def test_two_reports_are_compared_with_both_errors(tmp_path: Path, run: Run) -> None:
    first, second = written(tmp_path / "a", 0.8, 0.03), written(tmp_path / "b", 0.9, 0.04)
    result = run("validate", "--compare", first, second)
    assert result.code == 0
    # 1.96 times the root of .03² + .04² is .098.
    assert "| nsa | segmenter | image AUROC | 0.800 | 0.900 | +0.100 (+0.002 to +0.198) |" in result.out


def test_reports_with_nothing_in_common_are_refused(tmp_path: Path, run: Run) -> None:
    first = written(tmp_path / "a", 0.8, 0.03)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "report.json").write_text(a_report().model_dump_json())
    run("validate", "--compare", first, str(tmp_path / "b")).assert_refused("nothing can be compared")
