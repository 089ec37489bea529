"""The page in a real Chromium: what a person does with it, and that the pictures are what they seem."""

import re
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from synthgen.figures.tiles import OUTLINE, heat_colours
from synthgen.images import png
from synthgen.images.pixels import Pixels
from tests.conftest import REPOSITORY
from tests.server.page.browsing import Shown
from tests.server.requests import picture
from tests.server.running import Running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

PAGE = REPOSITORY / "server" / "page"
MOST_BYTES = 60_000
LINE_REACH = 8
"""Pixels from a mask to the far side of its outline."""
TARGET = 44
"""Least side of what fingers press, CSS pixels."""


def product(height: int = 90, width: int = 150) -> Pixels:
    """A picture with structure everywhere, (H, W, 3) uint8."""
    stream = np.random.default_rng(5)
    coarse = stream.integers(40, 215, (height // 10, width // 10, 3))
    return np.kron(coarse, np.ones((10, 10, 1), np.int64)).astype(np.uint8)


def test_the_files_are_small_and_plain() -> None:
    files = [path for path in PAGE.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    html = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html)
    assert not [path for path in files if re.search(r"https?://(?!www\.w3\.org/2000/svg)", path.read_text())]


def test_a_first_sample_without_a_click(shown: Shown) -> None:
    normal, image, mask = (shown.pixels(name) for name in ("normal", "image", "mask"))
    change = np.abs(image.astype(int) - normal).max(axis=2)
    assert set(np.unique(mask)) == {0, 255}
    assert not change[mask[..., 0] == 0].any()
    assert shown.fact("area").inner_text() == f"{100 * (mask > 0).mean():.2g} %"
    contrast = float(shown.fact("contrast").inner_text().removesuffix(" grey levels"))
    assert contrast == pytest.approx(change[mask[..., 0] > 0].mean(), abs=0.06)


def test_heat_and_outline_show_the_change_and_the_mask(shown: Shown) -> None:
    shown.page.get_by_label("Method").select_option("perlin-texture")
    shown.page.get_by_label("Seed").fill("4")
    shown.page.keyboard.press("Enter")
    shown.settled(method="perlin-texture", seed="4")
    normal, image, mask = (shown.pixels(name) for name in ("normal", "image", "mask"))
    change = np.abs(image.astype(int) - normal).max(axis=2)
    heat = shown.pixels("heat").astype(int)
    assert np.abs(heat - heat_colours(change.astype(np.float32))).max() <= 2

    outline = shown.pixels("outline")
    scale = outline.shape[0] // mask.shape[0]
    inside = np.kron(mask[..., 0] > 0, np.ones((scale, scale), bool))
    is_line = np.abs(outline.astype(int) - OUTLINE).max(axis=2) < 8
    from_mask = cv2.distanceTransform((~inside).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    from_line = cv2.distanceTransform((~is_line).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert is_line.any()
    assert from_mask[is_line].max() <= LINE_REACH
    assert from_line[(from_mask > 0) & (from_mask < 2)].max() <= LINE_REACH
    border = np.ones_like(inside)
    border[LINE_REACH:-LINE_REACH, LINE_REACH:-LINE_REACH] = False
    assert not (is_line & inside & ~border).any()
    assert from_line[inside & _edge(inside)].max() <= LINE_REACH  # the mask of this seed meets the edge


def _edge(like: "np.typing.NDArray[np.bool_]") -> "np.typing.NDArray[np.bool_]":
    edge = np.zeros_like(like)
    edge[[0, -1]] = edge[:, [0, -1]] = True
    return edge


def test_a_dropped_picture_a_method_a_strength_a_seed(shown: Shown) -> None:
    page, pixels = shown.page, product()
    shown.drop(("plate.png", png.encode(pixels)))
    shown.settled(size="150 × 90")
    assert np.array_equal(shown.pixels("normal"), pixels)

    page.get_by_label("Method").select_option("perlin-texture")
    shown.settled(method="perlin-texture", delta="0.60")
    before = shown.pixels("image")
    page.get_by_label("Strength").focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    assert page.locator("#strength-value").inner_text() == "delta 0.80"
    shown.settled(delta="0.80")
    stronger = shown.pixels("image")
    assert not np.array_equal(before, stronger)

    seed = page.get_by_label("Seed").input_value()
    page.keyboard.press("r")
    assert page.get_by_label("Seed").input_value() != seed
    shown.settled(seed=page.get_by_label("Seed").input_value())
    assert not np.array_equal(shown.pixels("image"), stronger)
    page.get_by_label("Seed").fill(seed)
    page.keyboard.press("Enter")
    shown.settled(seed=seed)
    assert np.array_equal(shown.pixels("image"), stronger)


def test_the_longer_side_keeps_the_proportions(shown: Shown) -> None:
    shown.drop(("large.png", png.encode(product(400, 1000))))
    shown.settled(size="512 × 205")
    shown.page.get_by_label("256").check()
    shown.settled(size="256 × 102")
    shown.page.get_by_label("native").check()
    shown.settled(size="1000 × 400")


def test_diffusion_by_the_model_that_is_known_from_the_server(shown: Shown) -> None:
    shown.page.get_by_label("Method").select_option("sdas-local")
    assert shown.page.get_by_label("Product").input_value() == "brick"
    shown.settled(method="sdas-local", size="256 × 256", s="0.40")
    change = np.abs(shown.pixels("image").astype(int) - shown.pixels("normal")).max(axis=2)
    assert not change[shown.pixels("mask")[..., 0] == 0].any()


def test_an_error_is_told_as_text_and_goes_with_its_cause(shown: Shown) -> None:
    alert = shown.page.get_by_role("alert")
    shown.drop(("torn.png", picture(1)[:60]))
    alert.get_by_text("images.0").wait_for()
    shown.page.locator("#result.busy").wait_for()
    shown.drop(("notes.txt", b"no picture"))
    alert.get_by_text("notes.txt is not a picture").wait_for()
    shown.drop(("whole.png", picture(2)))
    shown.settled(size="64 × 64")
    assert not alert.is_visible()


def test_a_defect_that_nobody_would_see_is_told_to_be_none(shown: Shown) -> None:
    shown.drop(("flat.png", png.encode(np.full((64, 64, 3), 128, np.uint8))))
    shown.page.get_by_label("Strength").press("Home")
    shown.settled(size="64 × 64", delta="0.01", area="none")
    assert shown.page.get_by_role("alert").inner_text().startswith("No defect: ")
    assert not shown.pixels("mask").any()


def test_a_method_that_needs_another_picture_asks_for_it(shown: Shown) -> None:
    shown.page.get_by_label("Method").select_option("nsa")
    shown.settled(method="nsa")  # of a built-in texture there are several pictures
    shown.drop(("first.png", picture(1)))
    shown.page.get_by_role("alert").get_by_text("drop a second one").wait_for()
    shown.paste(("second.png", picture(2)))
    shown.settled(method="nsa", size="64 × 64")
    assert not shown.page.get_by_role("alert").is_visible()
    shown.page.get_by_role("button", name="Remove second.png").click()
    shown.page.get_by_role("alert").get_by_text("drop a second one").wait_for()


def test_it_waits_for_a_busy_server(shown: Shown) -> None:
    refusals = [429, 503]

    def answer(route: "Route") -> None:
        if not refusals:
            route.continue_()
            return
        route.fulfill(status=refusals.pop(0), headers={"Retry-After": "0.3"}, json={"detail": "full"})

    shown.page.route("**/v1/anomalies", answer)
    shown.page.get_by_role("button", name="Reroll").click()
    shown.page.get_by_role("status").get_by_text("The server is busy; trying again in 0.3 s").wait_for()
    shown.settled(seed=shown.page.get_by_label("Seed").input_value())
    assert not refusals


def test_an_older_request_is_given_up(shown: Shown) -> None:
    held: list[Route] = []
    gone: list[str] = []
    shown.page.on("requestfailed", lambda request: gone.append(str(request.failure)))

    def hold(route: "Route") -> None:
        held.append(route)

    shown.page.route("**/v1/anomalies", hold, times=1)
    shown.page.get_by_role("button", name="Reroll").click()
    shown.page.locator("#result.busy").wait_for()
    shown.page.get_by_role("button", name="Reroll").click()
    shown.settled(seed=shown.page.get_by_label("Seed").input_value())
    assert len(held) == 1
    assert gone == ["net::ERR_ABORTED"]


def test_everything_is_reached_by_keyboard_and_seen_to_be(shown: Shown) -> None:
    reached = []
    for _ in range(40):
        shown.page.keyboard.press("Tab")
        name, width = shown.page.evaluate(FOCUSED)
        if name in reached or not name:
            break
        assert width >= 2, f"no ring is seen around {name}"
        reached.append(name)
    assert {"files", "picture", "method", "strength", "side", "seed", "reroll", "download"} <= set(reached)
    assert {"save-image", "save-mask", "save-facts", "recipe", "request"} <= set(reached)
    seed = shown.page.get_by_label("Seed")
    before = seed.input_value()
    seed.press("r")  # typed into a field it is a letter
    assert seed.input_value().replace("r", "") == before


FOCUSED = """() => {
  const focused = document.activeElement;
  const widths = [focused, focused.closest("label"), document.querySelector(`label[for="${focused.id}"]`)]
    .map((each) => each && getComputedStyle(each))
    .map((style) => (!style || style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth)));
  const name = focused.id || focused.name || focused.dataset.copy || focused.textContent;
  return [focused === document.body ? "" : name, Math.max(...widths)];
}"""


def test_a_phone_shows_it_all_in_one_column(browser: "Browser", server: Running) -> None:
    phone = Shown(browser, server.url, viewport={"width": 360, "height": 740}, has_touch=True).open()
    phone.drop(("a.png", picture(1)), ("b.png", picture(2)))
    phone.settled(size="64 × 64")
    for summary in phone.page.locator("summary").all():
        summary.click()
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 360
    figures = [figure.bounding_box() for figure in phone.page.locator("figure").all()]
    assert len({box["x"] for box in figures if box}) == 1
    small = [each for each in phone.page.evaluate(SIZES) if min(each[1:]) < TARGET]
    assert not small
    phone.context.close()


SIZES = """() => {
  const buttons = "a, button, select, summary, label.button, .thumb label, .segments label";
  return [...document.querySelectorAll(`${buttons}, input:not(.hidden, [type=radio])`)]
    .filter((each) => each.checkVisibility())
    .map((each) => [each.id || each.textContent, each.offsetWidth, each.offsetHeight]);
}"""
