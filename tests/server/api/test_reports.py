"""The reports that the service was started with: listed, shown as they are, and nothing beside them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.api.reports import check_reports
from synthgen.errors import InputError
from synthgen.validation.report import ValidationReport
from tests.server.running import Running, running, small_settings

PAGE = "<!doctype html><title>nuts</title>"


def a_report() -> ValidationReport:
    return ValidationReport(
        product="nuts",
        recommendation=["For nuts train on nsa.", "Worse: scar."],
        not_tested=[],
        budget="quick",
        seeds=1,
        learner="segmenter",
        false_alarms=0.1,
        normals=9,
        held_out=3,
        rows=[],
        protocol=[],
        settings={},
        versions={},
        hardware="",
        seconds=1.0,
        memory=1,
    )


@pytest.fixture(scope="module")
def with_reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("reports")
    for name, data in (("nuts", a_report().model_dump_json()), ("damaged", "{}")):
        (folder / name).mkdir()
        (folder / name / "report.html").write_text(PAGE)
        (folder / name / "report.json").write_text(data)
    (folder / "unfinished").mkdir()
    (folder / "unfinished" / "report.html").write_text(PAGE)
    settings = small_settings(tmp_path_factory.mktemp("server"), reports=folder)
    with running(settings) as started:
        yield started


def test_finished_reports_are_listed(with_reports: Running) -> None:
    status, _, body = with_reports.get("/v1/reports")
    assert status == 200
    assert json.loads(body) == {
        "reports": [
            {
                "name": "nuts",
                "product": "nuts",
                "recommendation": "For nuts train on nsa.",
                "href": "/v1/reports/nuts.html",
            }
        ]
    }


def test_a_page_is_shown_as_it_is_and_may_fetch_nothing(with_reports: Running) -> None:
    status, headers, body = with_reports.get("/v1/reports/nuts.html")
    assert (status, body.decode()) == (200, PAGE)
    assert headers["content-type"].startswith("text/html")
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")


@pytest.mark.parametrize("name", ["none", "unfinished", "..%2Fnuts", "%2E%2E"])
def test_nothing_else_is_shown(with_reports: Running, name: str) -> None:
    assert with_reports.get(f"/v1/reports/{name}.html")[0] == 404


def test_without_a_folder_there_are_none(server: Running) -> None:
    assert json.loads(server.get("/v1/reports")[2]) == {"reports": []}


def test_a_folder_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder; give one with the directories"):
        check_reports(small_settings(tmp_path, reports=tmp_path / "missing"))
