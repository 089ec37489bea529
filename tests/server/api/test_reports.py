"""The reports that the service was started with: listed, shown as they are, and nothing beside them."""

import json
from pathlib import Path

import pytest

from server.api.reports import check_reports, entries
from synthgen.errors import InputError
from tests.server.reports import PAGE
from tests.server.running import Running, small_settings


def test_finished_reports_are_listed(server: Running) -> None:
    status, _, body = server.get("/v1/reports")
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


def test_a_page_is_shown_as_it_is_and_may_fetch_nothing(server: Running) -> None:
    status, headers, body = server.get("/v1/reports/nuts.html")
    assert (status, body.decode()) == (200, PAGE)
    assert headers["content-type"].startswith("text/html")
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")


@pytest.mark.parametrize("name", ["none", "unfinished", "..%2Fnuts", "%2E%2E"])
def test_nothing_else_is_shown(server: Running, name: str) -> None:
    assert server.get(f"/v1/reports/{name}.html")[0] == 404


def test_without_a_folder_there_are_none() -> None:
    assert list(entries(None)) == []


def test_a_folder_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder; give one with the directories"):
        check_reports(small_settings(tmp_path, reports=tmp_path / "missing"))
