"""Draws many samples of every synthesizer and checks each label against what its pixels say.

    python -m tests.studies.label_truth --draws 10000

The diffusion methods take a model of random weights, resized, because their labels must be true whatever it
makes. `--model DIR --view VIEW` takes a trained one, with the method's own sampling; with `--bank DIR` `sdas`
draws from stored images. `sdas-image` has no pair that its label could be checked against.

The oracle for the bottles' background is a circle fitted to each bottle by radial gradients, which the
product's code knows nothing of; a mask may reach over it by the accuracy of that fit.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.images.decode import decode
from synthgen.pipeline.freeze import freeze
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.processes import one_thread
from synthgen.sample import Sample
from synthgen.synthesizers.common.diffusion import View
from synthgen.synthesizers.registry import SYNTHESIZERS
from tests.conftest import DATA
from tests.regions.pictures import bottle_circle
from tests.synthesizers.scenes import random_model

PRODUCTS = {
    "bottle": {"kind": "mvtec", "path": "data/mvtec", "categories": ["bottle"]},
    "magnetic_tile": {"kind": "mvtec", "path": "data/magnetic_tile"},
}
PAIRED = [name for name, method in SYNTHESIZERS.items() if method.paired]
TOLERANCE = 1.0
"""Pixels that a mask may reach beyond the fitted circle, whose own fit is good to about half a pixel."""


@dataclass
class Tally:
    """What was found wrong, and the spread of what was drawn."""

    outcomes: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    contrasts: list[float] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    attempts: int = 0

    def line(self, product: str, method: str) -> str:
        """One row of the table."""
        draws = self.outcomes.total()
        rejected = self.outcomes["rejected"] / draws
        contrast = " ".join(f"{value:6.1f}" for value in np.percentile(self.contrasts, [0, 5, 50, 95]))
        area = " ".join(f"{value:7.3%}" for value in np.percentile(self.areas, [0, 50, 100]))
        problems = ", ".join(f"{name}: {count}" for name, count in self.problems.items()) or "none"
        return (
            f"{product:<14}{method:<21}{draws:>7}{rejected:>9.2%}{self.attempts / draws:>9.2f}  "
            f"{contrast}  {area}  {problems}"
        )


def main() -> None:
    """Draw, check and print; exits with 1 where a label is not true."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--products", nargs="+", choices=PRODUCTS, default=list(PRODUCTS))
    parser.add_argument("--methods", nargs="+", choices=PAIRED, default=PAIRED)
    parser.add_argument("--model", help="a trained diffusion model")
    parser.add_argument("--view", choices=get_args(View), default="resized", help="how it meets the images")
    parser.add_argument("--bank", help="shards of sdas-image, of the samples' size, that sdas draws from")
    options = parser.parse_args()
    one_thread()
    spread = "contrast 0/5/50/95 %         area 0/50/100 %            problems"
    print(f"{'product':<14}{'method':<21}{'draws':>7}{'rejected':>9}{'attempts':>9}  {spread}")
    wrong = False
    for product in options.products:
        for method in options.methods:
            trained = {"model": options.model, "view": options.view} if options.model else None
            if options.bank and method == "sdas":
                trained = {"bank": options.bank, "view": "exact"}
            tally = check(DATA, product, method, options.draws, trained)
            print(tally.line(product, method), flush=True)
            wrong = wrong or bool(tally.problems) or tally.outcomes["rejected"] > 0.01 * options.draws
    raise SystemExit(int(wrong))


def check(data: Path, product: str, method: str, draws: int, trained: dict[str, str] | None = None) -> Tally:
    """Draw samples of one method on one product and check all of them.

    ``trained`` are the fields of a diffusion method that name a trained model or a bank.
    """
    source = PRODUCTS[product] | {"path": str(data / str(PRODUCTS[product]["path"]))}
    with TemporaryDirectory() as folder:
        synthesizer: dict[str, Any] = {"method": method}
        if SYNTHESIZERS[method].runs_network:
            synthesizer |= trained or {
                "model": str(random_model(Path(folder), 32, ["anything"])),
                "view": "resized",
                "sampling": {"steps": 5, "batch": 8},
            }
        recipe = Recipe.model_validate(
            {"name": product, "seed": 11, "count": draws, "source": source, "synthesizers": [synthesizer]}
        )
        return check_samples(freeze(recipe), draws, product == "bottle")


def check_samples(plan: Plan, draws: int, bottles: bool) -> Tally:
    """Check the first samples of a plan."""
    circles = Circles(plan.recipe.source.read) if bottles else None
    tally = Tally()
    for sample in Pipeline(plan).samples(range(draws)):
        tally.outcomes[sample.facts.outcome] += 1
        tally.attempts += sample.facts.attempts
        tally.problems.update(problems(sample, circles))
        if sample.facts.label:
            tally.contrasts.append(sample.facts.contrast)
            tally.areas.append(sample.facts.area)
    return tally


class Circles:
    """The circle fitted to each bottle, as the mask of what lies outside of it."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self.outside = cache(self._outside)

    def _outside(self, path: str) -> npt.NDArray[np.bool_]:
        image = decode(self._read(path))
        x, y, radius = bottle_circle(image)
        rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
        return np.asarray(np.hypot(columns - x, rows - y) > radius + TOLERANCE)


def problems(sample: Sample, circles: Circles | None) -> Iterator[str]:
    """What is not true about a sample's label."""
    mask = sample.mask
    change = cv2.absdiff(sample.image, sample.normal).reshape(sample.image.shape).max(axis=2)
    if not set(np.unique(mask).tolist()) <= {0, 255}:
        yield "a mask with other values than 0 and 255"
    if bool(mask.any()) != bool(sample.facts.label):
        yield "an empty mask with label 1, or a mask with label 0"
    if cv2.countNonZero(cv2.bitwise_and(change, cv2.bitwise_not(mask))):
        yield "a change outside of the mask"
    if sample.facts.label and cv2.mean(change, mask)[0] < 4:
        yield "an invisible defect"
    if circles and (mask[circles.outside(sample.facts.source_path)] > 0).any():
        yield "a defect on the background"


if __name__ == "__main__":
    main()
