"""The page in a real Chromium, and what tests see and do there."""

import io
import re
import shutil
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from synthgen.images.pixels import Pixels

if TYPE_CHECKING:
    from playwright.sync_api import Browser, JSHandle, Locator, Page

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 20_000
"""Milliseconds for what takes a few on an idle machine."""

READ_PIXELS = """shown => {
  const canvas = document.createElement("canvas");
  canvas.width = shown.naturalWidth || shown.width;
  canvas.height = shown.naturalHeight || shown.height;
  canvas.getContext("2d").drawImage(shown, 0, 0);
  return canvas.toDataURL("image/png").split(",")[1];
}"""
CARRY = """files => {
  const data = new DataTransfer();
  for (const [name, type, bytes] of files) data.items.add(new File([new Uint8Array(bytes)], name, { type }));
  return data;
}"""


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Debian's Chromium; skips where it, or Playwright, is not installed."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if not path:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Shown:
    """The page, opened, with its first sample."""

    def __init__(self, browser: "Browser", url: str, **context: Any) -> None:
        self.url = url
        self.context = browser.new_context(
            viewport=context.pop("viewport", {"width": 1280, "height": 900}), **context
        )
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self.messages: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(f"uncaught: {error}"))

    def open(self) -> "Shown":
        """Load the page and wait for the first sample."""
        self.page.goto(self.url)
        self.settled(method="cutpaste")
        return self

    def settled(self, **facts: str) -> None:
        """Wait until a sample with these facts is shown, and no other one requested."""
        from playwright.sync_api import expect

        for name, value in facts.items():
            expect(self.fact(name)).to_have_text(value, timeout=PATIENCE)
        expect(self.page.locator("#result")).not_to_have_class("busy", timeout=PATIENCE)

    def fact(self, name: str) -> "Locator":
        """A value in the line of facts."""
        return self.page.locator(
            "#facts div", has=self.page.locator("dt", has_text=re.compile(f"^{name}$", re.I))
        ).locator("dd")

    def pixels(self, name: str) -> Pixels:
        """What an image or canvas of the page holds, at its own size: (H, W, 3) uint8."""
        data = b64decode(self.page.locator(f"#{name}").evaluate(READ_PIXELS))
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def drop(self, *files: tuple[str, bytes]) -> None:
        """Drop files (name, bytes) onto the page."""
        data = self._carried(files)
        self.page.dispatch_event("main", "dragover", {"dataTransfer": data})
        self.page.dispatch_event("main", "drop", {"dataTransfer": data})

    def paste(self, *files: tuple[str, bytes]) -> None:
        """Paste files (name, bytes) into the page."""
        self._carried(files).evaluate(
            "data => dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }))"
        )

    def _carried(self, files: Sequence[tuple[str, bytes]]) -> "JSHandle":
        carried = [(name, "image/png" if name.endswith("png") else "", list(data)) for name, data in files]
        return self.page.evaluate_handle(CARRY, carried)

    def copied(self, button: str) -> str:
        """Press a copy button, and what the clipboard holds then."""
        self.page.get_by_role("button", name=button).click()
        self.page.get_by_text("Copied", exact=True).first.wait_for()
        return str(self.page.evaluate("navigator.clipboard.readText()"))
