"""Compares how visible the seams of `sdas-local` and of blended `sdas` are, at the same contrast.

    python -m tests.studies.seam_report --source PATH --model DIR --view resized --out DIR

Every sample of sdas-local is paired with one of sdas on the same image, with the same mask, strength and
noise, at the opacity that gives the same contrast: the judge's, each in its own mask, which for sdas-local is
where the image really changed. As the border then lies in another place, sdas is also shown through the mask
that is the label of sdas-local. The measures are in `tests.studies.seams`.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

import cv2
import numpy as np

from synthgen.defect import Composite
from synthgen.diffusion.model_files import pin
from synthgen.figures.tiles import picture_tile
from synthgen.images.pixels import Pixels
from synthgen.pipeline.freeze import freeze
from synthgen.pipeline.pipeline import Pipeline
from synthgen.recipe.recipe import Recipe
from synthgen.sources.base import Source
from synthgen.sources.builtin import BuiltinSource
from synthgen.sources.recognise import source_for
from synthgen.synthesizers.common.diffusion import View
from tests.studies.distance_from_normal import mean_and_error
from tests.studies.seams import Pair, Seam, contrast, pairs, seam

SHOWN, TILE, GAP = 8, 256, 8
HEADINGS = ("normal", "sdas-local", "sdas", "green local, red sdas")
GREEN, RED = (0, 220, 0), (230, 0, 0)


class Column(NamedTuple):
    """What is measured of one sample."""

    contrast: float
    area: float
    """Share of the image."""
    seam: Seam
    unseen: Seam
    """Of the normal image at the same border."""


def columns(pair: Pair) -> tuple[Column, Column, Column | None]:
    """What is measured of sdas-local, of sdas, and of sdas on the mask of sdas-local."""
    normal = pair.local.normal

    def blended(made: Composite) -> Column:
        return column(made.image, made.mask, contrast(made))

    def column(image: Pixels, mask: Pixels, level: float) -> Column:
        area = float((mask > 0).mean())
        return Column(level, area, seam(image, normal, mask), seam(normal, normal, mask))

    return (
        column(pair.local.image, pair.local.mask, pair.local.facts.contrast),
        blended(pair.blended),
        blended(pair.on_same_mask) if pair.on_same_mask else None,
    )


ROWS: dict[str, Callable[[Column], float]] = {
    "contrast, grey levels": lambda column: column.contrast,
    "mask, % of the image": lambda column: 100 * column.area,
    "gradient across the border, levels": lambda column: column.seam.across,
    "of it more than in the normal image": lambda column: column.seam.across - column.seam.before,
    "step of the change, levels": lambda column: column.seam.step,
    "ratio to the normal image": lambda column: column.seam.to_normal,
    "ratio to the surroundings": lambda column: column.seam.to_surroundings,
    "that of the normal image": lambda column: column.unseen.to_surroundings,
}


def print_table(measured: Sequence[tuple[Column, Column]]) -> None:
    """Means with standard errors, their paired difference, and how often sdas-local is lower."""
    head = f"{'sdas-local':>18}{'sdas':>20}{'local - sdas':>20}{'local lower':>14}{'pairs':>8}"
    print(f"{'mean ± standard error':<38}{head}")
    for title, value in ROWS.items():
        both = np.array([(value(local), value(blended)) for local, blended in measured])
        known = both[np.isfinite(both).all(axis=1)]
        cells = [
            "{:>10.3f} ± {:.3f}".format(*mean_and_error(values))
            for values in (known[:, 0], known[:, 1], known[:, 0] - known[:, 1])
        ]
        lower = (known[:, 0] < known[:, 1]).mean()
        print(f"{title:<38}" + "".join(f"{cell:>20}" for cell in cells) + f"{lower:>12.1%}{len(known):>8}")


def picture(shown: Sequence[Pair]) -> Pixels:
    """A row for each pair, (H, W, 3) RGB: normal, sdas-local, sdas, and the outlines of both masks."""
    rows = []
    for local, blended, _ in shown:
        outlines = picture_tile(local.normal, TILE).copy()
        for mask, colour in ((blended.mask, RED), (local.mask, GREEN)):
            _outline(outlines, mask, colour)
        tiles = [picture_tile(image, TILE) for image in (local.normal, local.image, blended.image)]
        border = (GAP // 2,) * 4
        rows.append(
            np.hstack(
                [
                    cv2.copyMakeBorder(tile, *border, cv2.BORDER_CONSTANT, value=(255, 255, 255))
                    for tile in (*tiles, outlines)
                ]
            )
        )
    head = np.full((28, rows[0].shape[1], 3), 255, np.uint8)
    for number, text in enumerate(HEADINGS):
        place = (number * head.shape[1] // len(HEADINGS) + GAP, 19)
        cv2.putText(head, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([head, *rows])


def _outline(tile: Pixels, mask: Pixels, colour: tuple[int, int, int]) -> None:
    large = cv2.resize(mask, tile.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    found, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(tile, found, -1, colour, 1)


def recipe(source: Source, model: str, view: str, seed: int) -> Recipe:
    """sdas-local alone, on images of the size that the model and the view ask for."""
    facts = pin(model).facts
    size = {"patch": facts.image_size, "exact": (facts.size, facts.size), "resized": (256, 256)}[view]
    return Recipe.model_validate(
        {
            "name": "seams",
            "seed": seed,
            "count": 1,
            "source": source,
            "size": size,
            "synthesizers": [{"method": "sdas-local", "model": model, "view": view}],
        }
    )


def main() -> None:
    """Make, measure, print, and write the picture."""
    options = _options()
    started = time.perf_counter()
    source = BuiltinSource() if options.source == "builtin" else source_for(options.source)
    plan = freeze(recipe(source, options.model, options.view, options.seed))
    tally: Counter[str] = Counter()
    shown: list[Pair] = []
    measured = []
    for pair in pairs(Pipeline(plan), options.count, tally):
        measured.append(columns(pair))
        if len(shown) < SHOWN:
            shown.append(pair)
    height, width = plan.preparation.size
    print(f"source    {options.source}: {', '.join(plan.foreground)}, {width} x {height}")
    print(f"model     {options.model}, sha256 {plan.models[options.model].sha256[:16]}, view {options.view}")
    print(f"method    {plan.recipe.synthesizers[0]!r}; seed {options.seed}")
    print(f"samples   {', '.join(f'{count} {what}' for what, count in tally.items())}\n")
    print("sdas through the mask that both drew")
    print_table([(local, blended) for local, blended, _ in measured])
    print("\nsdas through the mask of sdas-local")
    print_table([(local, same) for local, _, same in measured if same])
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "seams.png"
    if not cv2.imwrite(str(path), picture(shown)[..., ::-1]):
        raise SystemExit(f"{path} cannot be written")
    print(f"\n{path}; {time.perf_counter() - started:.0f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", required=True, help="normal images, or builtin")
    parser.add_argument("--model", required=True, help="a directory of `synthgen sdas train`, or builtin")
    parser.add_argument("--view", required=True, choices=get_args(View))
    parser.add_argument("--out", type=Path, required=True, help="folder for the picture")
    parser.add_argument("--count", type=int, default=500, help="pairs to compare (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
