"""One server for all tests that do not stop or fill it, and the page of it in a browser."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.server.page.browsing import Shown, chromium
from tests.server.reports import write_reports
from tests.server.running import Running, running, small_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with the small recipes of ``running.RECIPES``, a report, and two workers."""
    reports = write_reports(tmp_path_factory.mktemp("reports"))
    with running(small_settings(tmp_path_factory.mktemp("server"), reports=reports)) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium, for one file of tests: while it runs, no event loop can run beside it in this thread."""
    with chromium() as started:
        yield started


@pytest.fixture
def shown(browser: "Browser", server: Running) -> Iterator[Shown]:
    """The page with its first sample; at the end nothing may have come from elsewhere or been blocked."""
    opened = Shown(browser, server.url, permissions=["clipboard-read", "clipboard-write"])
    yield opened.open()
    opened.context.close()
    elsewhere = [url for url in opened.requests if not url.startswith((server.url, "blob:"))]
    assert not elsewhere
    assert not [text for text in opened.messages if "Content Security Policy" in text or "uncaught" in text]
