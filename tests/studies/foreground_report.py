"""Draws the automatic foreground of ten unlike sources and prints how well it agrees with other outlines.

    python -m tests.studies.foreground_report --out sheet.png

The background is darkened and the product outlined in green; a red line is the outline it is compared with:
made by hand (coins, coffee, cell, cat), fitted (bottle) or exact (drawn shapes).
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from synthgen.regions.foreground import apply, decide
from tests.conftest import DATA
from tests.regions.pictures import (
    Mask,
    Pixels,
    bottle_circle,
    bottles,
    built_in,
    drawn,
    outlined,
    overlap,
    quarters,
    shape,
    tiles,
)

ZOOM = 2
COLUMNS = 5


class Case(NamedTuple):
    """A source: images to decide from, the first of which is shown, and its outline where one is known."""

    name: str
    images: list[Pixels]
    outline: Mask | None


def cases() -> Iterator[Case]:
    """Ten sources; two of them only where the development data is."""
    if (DATA / "data").is_dir():
        images = bottles(DATA)[::13]
        x, y, radius = bottle_circle(images[0])
        rows, columns = np.mgrid[:256, :256]
        yield Case("bottle", images, np.hypot(columns - x, rows - y) <= radius)
        yield Case("magnetic tile", tiles(DATA, (256, 256)), None)
    for name in ("coins", "coffee", "cell", "cat"):
        image, mask = outlined(name)
        yield Case(name, [image], mask)
    yield Case("brick", quarters(built_in("brick.png", None)), None)
    yield Case("gravel", quarters(built_in("gravel.png", None)), None)
    for title, name, levels in (("bright bar", "bar", (200, 60)), ("dark, beyond", "beyond", (60, 200))):
        masks = [shape(name, index) for index in range(5, -1, -1)]
        images = [drawn(mask, index, levels, slope=40) for index, mask in enumerate(masks)]
        yield Case(title, images, masks[0])


def picture(case: Case, found: Pixels, caption: str) -> Pixels:
    """One cell of the sheet, BGR."""
    image = case.images[0]
    colour = cv2.cvtColor(image, cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_GRAY2BGR)
    shown = np.where(found[..., None] > 0, colour, colour // 3)
    shown = cv2.resize(shown, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_NEAREST)
    for mask, line in ((found, (0, 220, 0)), (case.outline, (0, 0, 255))):
        if mask is not None:
            large = cv2.resize(mask.astype(np.uint8), None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_NEAREST)
            outlines, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(shown, outlines, -1, line, 1)
    band = np.full((28, shown.shape[1], 3), 255, np.uint8)
    cv2.putText(band, caption, (6, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([shown, band])


def main() -> None:
    """Write the sheet and print the table."""
    parser = argparse.ArgumentParser(description="automatic foreground of ten unlike sources")
    parser.add_argument("--out", type=Path, required=True, help="the sheet to write, a PNG")
    out = parser.parse_args().out
    cells = []
    for case in cases():
        rule = decide(case.images)
        found = apply(rule, case.images[0])
        agreement = "" if case.outline is None else f"IoU {overlap(found, case.outline):.3f}"
        cells.append(picture(case, found, f"{case.name}: {rule.product_type}  {agreement}"))
        print(f"{case.name:14} {len(case.images):3} images  {agreement:10} {rule.reason}")
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % COLUMNS)
    rows = [np.hstack(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS)]
    cv2.imwrite(str(out), np.vstack(rows))


if __name__ == "__main__":
    main()
