"""A service that wants a key, in a browser: /docs has a place for it, and what is copied does not hold it."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server.page.browsing import PATIENCE, Shown
from tests.server.running import Running, running, small_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

KEY = "a-key-of-letters"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that wants a key."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "key").write_text(KEY)
    with running(small_settings(folder, api_key_file=folder / "key", workers=1)) as started:
        yield started


def test_docs_load_without_the_key_and_take_it(browser: "Browser", locked: Running) -> None:
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE)
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.goto(f"{locked.url}/docs")
    page.get_by_role("button", name="Authorize").click()
    dialog = page.locator(".dialog-ux")
    dialog.get_by_label("api key").or_(dialog.locator("#api_key_value")).first.fill(KEY)
    dialog.locator(".auth-container", has_text="X-API-Key").get_by_role("button", name="Apply").click()
    dialog.get_by_role("button", name="Close").first.click()

    operation = page.locator("#operations-methods-list_methods_v1_methods_get")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Execute").click()
    response = operation.locator(".live-responses-table tbody .response-col_status").first
    response.wait_for()
    assert response.inner_text().strip().startswith("200")
    assert f"X-API-Key: {KEY}" in operation.locator(".curl").inner_text()
    assert not [text for text in messages if "Content Security Policy" in text or "uncaught" in text.lower()]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_a_copied_command_takes_the_key_from_the_environment(
    browser: "Browser", locked: Running, tmp_path: Path
) -> None:
    shown = Shown(
        browser,
        locked.url,
        permissions=["clipboard-read", "clipboard-write"],
        http_credentials={"username": "me", "password": KEY},
    ).open()
    command = shown.copied("Copy request as curl")
    assert KEY not in command
    assert command.count('-H "X-API-Key: $SYNTHGEN_API_KEY"') == command.count("curl -fsS") == 2
    for key, code in ((KEY, 0), ("", 22)):  # 22: the server refused
        run = ["env", f"SYNTHGEN_API_KEY={key}", "sh", "-ec", command]
        done = subprocess.run(run, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == code, done.stderr
    assert (tmp_path / "sample.tar").stat().st_size


def test_without_a_key_the_copied_command_names_none(shown: Shown) -> None:
    assert "API_KEY" not in shown.copied("Copy request as curl")
