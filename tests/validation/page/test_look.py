"""The page in a real Chromium: on a phone and a desk, light and dark, and on paper."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from synthgen.images.decode import decode
from synthgen.validation.report import ValidationReport
from tests.validation.page.examples import written

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Scheme = Literal["light", "dark"]
LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, for text of ordinary size."""

CONTRASTS = """() => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = {};
  const luminance = (colours) => known[colours.join()] ??= (() => {
    paint.clearRect(0, 0, 1, 1);
    for (const colour of colours) { paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1); }
    return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3)
      .map((level) => level / 255)
      .map((level) => (level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4))
      .reduce((sum, level, at) => sum + level * [0.2126, 0.7152, 0.0722][at], 0);
  })();
  const found = [];
  for (const each of document.querySelectorAll("body *")) {
    const text = [...each.childNodes].map((node) => (node.nodeType === 3 ? node.data : "")).join("").trim();
    if (!text || !each.checkVisibility()) continue;
    const grounds = [];
    for (let at = each; at; at = at.parentElement) grounds.unshift(getComputedStyle(at).backgroundColor);
    const style = getComputedStyle(each);
    const ink = each instanceof SVGElement ? style.fill : style.color;
    const [one, other] = [luminance(grounds), luminance([...grounds, ink])].sort((a, b) => b - a);
    found.push([(one + 0.05) / (other + 0.05), text]);
  }
  return found;
}"""
WIDEST = """() => Math.max(...[...document.querySelectorAll("body *")]
  .filter((each) => !each.closest(".scroll > *")).map((each) => each.getBoundingClientRect().right))"""
OVERLAPS = """() => {
  const found = [];
  for (const svg of document.querySelectorAll("svg")) {
    const frame = svg.closest(".plot").getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")];
    const boxes = texts.map((each) => [each.textContent, each.getBoundingClientRect()]);
    for (const [text, box] of boxes) {
      if (box.left < frame.left - 2 || box.right > frame.right + 2) found.push(`${text} leaves its plot`);
      for (const [other, its] of boxes) {
        const across = Math.min(box.right, its.right) - Math.max(box.left, its.left);
        const down = Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top);
        if (text < other && across > 1 && down > 4) found.push(`${text} over ${other}`);
      }
    }
  }
  return found;
}"""


@contextmanager
def opened(
    browser: "Browser", report: ValidationReport, folder: Path, width: int, scheme: Scheme = "light"
) -> Iterator["Page"]:
    """A report's page, opened as a file; at the end nothing may have been asked for or complained about."""
    file = folder / "report.html"
    file.write_text(written(report), encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    view = context.new_page()
    requests: list[str] = []
    messages: list[str] = []
    view.on("request", lambda request: requests.append(request.url))
    view.on("console", lambda message: messages.append(message.text))
    view.on("pageerror", lambda error: messages.append(str(error)))
    view.goto(file.as_uri())
    yield view
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    assert not messages
    context.close()


SCREENS: list[tuple[str, int, Scheme]] = [
    ("real", 360, "light"),
    ("real", 360, "dark"),
    ("real", 1200, "light"),
    ("real", 1200, "dark"),
    ("unseen", 360, "light"),
    ("quick", 360, "dark"),
    ("quick", 1200, "light"),
]


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: "-".join(map(str, screen)))
def test_it_fits_the_screen_and_can_be_read(
    browser: "Browser", request: pytest.FixtureRequest, tmp_path: Path, screen: tuple[str, int, Scheme]
) -> None:
    name, width, scheme = screen
    with opened(browser, request.getfixturevalue(name), tmp_path, width, scheme) as view:
        view.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert view.evaluate("document.documentElement.scrollWidth") == width
        assert view.evaluate(WIDEST) <= width
        contrasts = view.evaluate(CONTRASTS)
        assert len(contrasts) > 40
        assert not [each for each in contrasts if each[0] < LEAST_CONTRAST]
        assert view.evaluate(OVERLAPS) == []
        seen = decode(view.screenshot()).astype(float)
        assert (np.median(seen) > 128) == (scheme == "light")


def test_wide_tables_scroll_in_their_box_and_names_stay_in_sight(
    browser: "Browser", real: ValidationReport, tmp_path: Path
) -> None:
    with opened(browser, real, tmp_path, 360) as view:
        box = view.locator(".scroll").first
        name = box.locator("th[scope=row]").first
        before = name.bounding_box()
        box.focus()
        box.evaluate("box => box.scrollLeft = 400")
        assert box.evaluate("box => box.scrollLeft") == 400
        after = name.bounding_box()
        assert before and after
        assert after["x"] == before["x"]


def test_the_longest_names_break(browser: "Browser", real: ValidationReport, tmp_path: Path) -> None:
    dumped = real.model_dump_json().replace("nsa", "n" * 60 + "_" * 40)
    with opened(browser, ValidationReport.model_validate_json(dumped), tmp_path, 360) as view:
        assert view.evaluate("document.documentElement.scrollWidth") == 360
        assert view.evaluate(OVERLAPS) == []


def test_on_paper_it_is_light_and_whole(browser: "Browser", real: ValidationReport, tmp_path: Path) -> None:
    with opened(browser, real, tmp_path, 1030, "dark") as view:
        view.emulate_media(media="print")
        style = "(({ color, backgroundColor }) => [color, backgroundColor])(getComputedStyle(document.body))"
        assert view.evaluate(style) == ["rgb(29, 27, 32)", "rgb(255, 255, 255)"]
        assert not view.locator("nav").is_visible()
        tables = view.locator("table").all()
        widths = [table.evaluate("table => table.getBoundingClientRect().right") for table in tables]
        assert len(widths) == 14
        assert max(widths) <= 1030
        folded = view.locator("details table").last
        assert folded.evaluate("table => table.checkVisibility({ contentVisibilityAuto: true })")
        assert folded.evaluate("table => table.getBoundingClientRect().height") > 500
