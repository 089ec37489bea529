"""Shows samples of a diffusion model, and measures how far they leave normal as the strength s rises.

    python -m tests.studies.sdas_report MODEL SOURCE --out DIR

Every s has the same streams of noise, so that the differences from one s to the next are of pairs. The
measures are in `tests.studies.distance_from_normal`; held-out images, and each training image without itself,
are measured alike.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from synthgen.detectors.common.backbones import load_backbone
from synthgen.diffusion.model import DiffusionModel, Whole
from synthgen.diffusion.model_files import digest, model_directory
from synthgen.diffusion.sampling import Sampling
from synthgen.figures.tiles import picture_tile
from synthgen.images.pixels import Pixels
from synthgen.sources.base import Source
from synthgen.sources.builtin import BuiltinSource
from synthgen.sources.recognise import source_for
from synthgen.streams import Stream
from synthgen.synthesizers.common.diffusion import NOISE_SEEDS
from tests.studies.distance_from_normal import (
    STAGES,
    Distances,
    Measured,
    Pictures,
    feature_space,
    mean_and_error,
    measure,
    normal_pictures,
    paired_rise,
    pixel_space,
    share_nearer,
)

QUANTILES = (0, 5, 25, 50, 75, 95, 100)
NEAREST_SHARES = (0.05, 0.5)
SHEET_SIDE = 8
ROW = 10
TILE, GAP = 128, 2
LABEL = 36


def main() -> None:
    """Sample, measure, print, and write the sheets."""
    options = _options()
    started = time.perf_counter()
    directory = model_directory(options.model)
    model = DiffusionModel(directory)
    facts = model.facts
    source = source_of(options.source, facts.categories)
    training, held_out = normal_pictures(source, facts, options.seed)
    categories = facts.categories if facts.conditional else list(training)
    strengths = sorted({0.0, *options.strengths})
    samples = {each: generated(model, categories, each, options.count, options.seed) for each in strengths}
    sampled = time.perf_counter()
    write_sheets(samples, options.out)

    seen = "images" if facts.view == "image" else f"random patches of {facts.size} x {facts.size}"
    print(f"model     {options.model}, sha256 {digest(directory)[:16]}, {', '.join(facts.categories)}")
    print(f"training  {facts.training}")
    print(f"source    {options.source}: {facts.trained_on} training images")
    print(f"compared  {_counted(training)} training and {_counted(held_out)} held-out {seen}")
    print(f"samples   {options.count} for each s, seed {options.seed}; {Sampling()!r}")
    print(f"features  ResNet-18, weights {options.weights}")
    features = feature_space(load_backbone("resnet18", options.weights, STAGES))
    for name, space in (("pixel", pixel_space), ("feature", features)):
        measured = measure(space, training, held_out, samples)
        print_distances(name, measured)
        print_copies(name, measured)
    seconds = time.perf_counter() - sampled
    print(f"\nsheets in {options.out}; {sampled - started:.0f} s to sample, {seconds:.0f} s to measure")


def source_of(path: str, categories: Sequence[str]) -> Source:
    """``builtin`` or what lies at a path; of a layout with categories, those that are given."""
    if path == "builtin":
        return BuiltinSource.model_validate({"categories": categories})
    source = source_for(path)
    known = {entry.category for entry in source.entries()}
    return source_for(path, list(categories)) if known > set(categories) else source


def generated(
    model: DiffusionModel, categories: Sequence[str], strength: float, count: int, seed: int
) -> Pictures:
    """``count`` samples, spread over the categories; sample i has stream i, whatever the strength."""
    names = [categories[number % len(categories)] for number in range(count)]
    requests = [
        Whole(Stream(seed, number, "sdas-report").integer(0, NOISE_SEEDS), strength, name)
        for number, name in enumerate(names)
    ]
    made = np.stack(model.whole(requests, Sampling()))
    return {name: made[np.array(names) == name] for name in dict.fromkeys(names)}


def write_sheets(samples: Mapping[float, Pictures], out: Path) -> None:
    """A PNG of 8 x 8 samples for each strength, and one with a row of the same streams for each strength."""
    out.mkdir(parents=True, exist_ok=True)
    sheets = {f"samples-s-{strength:g}.png": contact_sheet(each) for strength, each in samples.items()}
    sheets["strengths.png"] = strength_sheet(samples)
    for name, sheet in sheets.items():
        if not cv2.imwrite(str(out / name), sheet[..., ::-1]):
            raise SystemExit(f"{out / name} cannot be written")


def strength_sheet(samples: Mapping[float, Pictures]) -> Pixels:
    """Ten samples, as many of each category, in a row for each strength, which stands before it."""
    rows = []
    for strength, pictures in samples.items():
        share = -(-ROW // len(pictures))
        shown = [picture for some in pictures.values() for picture in some[:share]][:ROW]
        label = np.full((TILE, TILE, 3), 255, np.uint8)
        place = (GAP, TILE // 2)
        cv2.putText(label, f"s = {strength:g}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, 0, 1, cv2.LINE_AA)
        rows.append(np.hstack([label, *(picture_tile(picture, TILE) for picture in shown)]))
    return np.vstack(rows)


def contact_sheet(samples: Pictures) -> Pixels:
    """At most 8 x 8 samples, as many of each category, (H, W, 3)."""
    places = SHEET_SIDE**2
    share = -(-places // len(samples))
    shown = [picture for pictures in samples.values() for picture in pictures[:share]][:places]
    border = (GAP,) * 4
    tiles = [
        cv2.copyMakeBorder(picture_tile(picture, TILE), *border, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        for picture in shown
    ]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % SHEET_SIDE)
    starts = range(0, len(tiles), SHEET_SIDE)
    return np.vstack([np.hstack(tiles[start : start + SHEET_SIDE]) for start in starts])


def print_distances(name: str, measured: Measured) -> None:
    """The distances from normal, and how they rise with s."""
    print(f"\n{name}: distance to the nearest training image, mean ± standard error")
    _print_mean("training, each to another", measured.training)
    _print_mean("held out", measured.held_out)
    for strength, distances in measured.samples.items():
        _print_mean(f"s = {strength:g}", distances)
    rises = []
    for low, high in pairwise(measured.samples):
        rise = paired_rise(_together(measured.samples[low]), _together(measured.samples[high]))
        rises.append(rise)
        step = f"s = {low:g} to {high:g}, paired"
        print(
            f"{step:<{LABEL + 6}}{rise.mean:>+11.4f} ± {rise.error:.4f}, rises in {rise.share:.1%} of streams"
        )
    if rises:
        print(f"mean rises at every step of s: {'yes' if all(rise.mean > 0 for rise in rises) else 'NO'}")


def print_copies(name: str, measured: Measured) -> None:
    """Whether samples of s = 0 lie nearer to the training images than other normal images do."""
    print(f"\n{name}: copies? quantiles of the distance to the nearest training image")
    print(f"{'':<{LABEL}}" + "".join(f"{quantile:>9} %" for quantile in QUANTILES))
    normal = {"training, each to another": measured.training, "held out": measured.held_out}
    samples = measured.samples[0]
    for title, distances in {**normal, "s = 0": samples}.items():
        if distances:
            quantiles = np.percentile(_together(distances), QUANTILES)
            print(f"{title:<{LABEL}}" + "".join(f"{value:>11.4f}" for value in quantiles))
    for title, distances in normal.items():
        if not samples.keys() <= distances.keys():
            continue
        weights = [len(some) for some in samples.values()]
        for share in NEAREST_SHARES:
            nearer = [share_nearer(some, distances[category], share) for category, some in samples.items()]
            print(
                f"s = 0 nearer than the nearest {share:.0%} of '{title}' of the same category: "
                f"{np.average(nearer, weights=weights):.1%}"
            )


def _print_mean(title: str, distances: Mapping[str, Distances]) -> None:
    if not distances:
        print(f"{title:<{LABEL}}{'none':>6}")
        return
    values = _together(distances)
    mean, error = mean_and_error(values)
    print(f"{title:<{LABEL}}{len(values):>6}{mean:>11.4f} ± {error:.4f}")


def _together(distances: Mapping[str, Distances]) -> Distances:
    return np.concatenate(list(distances.values()))


def _counted(pictures: Pictures) -> int:
    return sum(len(some) for some in pictures.values())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="a directory that `synthgen sdas train` wrote, or builtin")
    parser.add_argument("source", help="the images that it was trained on, or builtin")
    parser.add_argument("--out", type=Path, required=True, help="folder for the contact sheets")
    parser.add_argument("--count", type=int, default=256, help="samples for each s (default: %(default)s)")
    parser.add_argument("--weights", default="imagenet", help="of the ResNet-18 (default: %(default)s)")
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.0, 0.1, 0.2, 0.4])
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
