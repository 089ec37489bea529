"""The speed and memory of detectors on the CPU, at 256 x 256, and of their evaluation.

Each row is measured in a process of its own, with as many threads as cores and all images in memory.
Features: until those of the last image are taken up. An image: the median of single ones, features included.
Peak memory is that of the whole process, with Python and torch.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from synthgen.detectors.common.backbones import BackboneName
from synthgen.detectors.patchcore import Patchcore
from synthgen.detectors.registry import load_detector, make_detector, save_detector
from synthgen.evaluation.protocol import Predictions, Truth, measure
from synthgen.evaluation.test_set import NormalPictures, Pictures, square, to_tensor
from synthgen.images.decode import decode
from synthgen.images.pixels import Pixels
from synthgen.pipeline.anomaly_source import anomalies_on
from synthgen.recipe.files import load_recipe
from synthgen.sources.builtin import BuiltinSource
from synthgen.sources.recognise import source_for
from synthgen.streams import Stream
from tests.benchmarks.machine import describe

SIZE = 256
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "padim": ("padim", {}),
    "patchcore": ("patchcore", {"coreset": 0.1}),
    "simplenet": ("simplenet", {"schedule": "cpu"}),
    "segmenter": ("segmenter", {}),
    "realnet": ("realnet", {}),
    "cutpaste": ("cutpaste", {"schedule": "cpu"}),
    "efficientad-small": ("efficientad-small", {}),
}
"""Methods that learn from anomalies take those of perlin-texture."""
BOUNDS = {
    "padim": "at most 45 ms an image",
    "patchcore": "the fit's rest, the coreset, under 40 s",
    "simplenet": "fit at most 600 s",
    "segmenter": "fit at most 90 s",
    "realnet": "fit at most 30 minutes",
}
BANK = 300_000
CHANNELS = 384
"""Of a patch of ResNet-18's stages 2 and 3."""
MAPS, MAP_SIZE = 160, 1024


def main() -> None:
    """Measure and print."""
    options = _options()
    print(describe())
    print(
        f"images    {options.count} of {options.source or 'built-in photographs'}; {options.backbone}, "
        f"weights {options.weights}"
    )
    print(f"\n{'':<18}{'features':>10}{'rest':>9}{'fit':>9}{'an image':>11}{'peak':>10}  bound")
    for row in options.methods:
        work = fitting, row, options.source, options.backbone, options.weights, options.count
        features, whole, image, peak = _alone(*work)
        print(
            f"{row:<18}{features:>8.1f} s{whole - features:>7.1f} s{whole:>7.1f} s{image * 1e3:>8.1f} ms"
            f"{peak / 1e9:>7.2f} GB  {BOUNDS.get(row, '')}",
            flush=True,
        )
    image, peak = _alone(scoring_with_a_large_bank)
    print(
        f"\nbank of {BANK:,} patches, saved, loaded and asked: {image * 1e3:.0f} ms an image, peak "
        f"{peak / 1e9:.2f} GB (bound 4 GB)"
    )
    seconds, peak = _alone(evaluating)
    print(
        f"all metrics with intervals of {MAPS} maps of {MAP_SIZE} x {MAP_SIZE}: {seconds:.1f} s, peak "
        f"{peak / 1e9:.2f} GB (bound 4 GB)"
    )


def fitting(
    row: str, source: str | None, backbone: BackboneName, weights: str, count: int
) -> Sequence[float]:
    """Seconds until all features are taken up, of the whole fit, and for an image."""
    torch.set_num_threads(os.cpu_count() or 1)
    method, settings = ROWS[row]
    detector = make_detector(method, {"image_size": SIZE, **settings}, backbone, weights, "cpu")
    images = NormalPictures(Pictures(*_of_folder(source, count)), SIZE) if source else Crops(count)
    anomalies = None
    if detector.learns_from_anomalies:
        anomalies = anomalies_on(images.some(count), load_recipe("perlin-texture"), 0, "product")
    features: list[float] = []

    def progress(done: int, total: int) -> None:
        if done == total and not features:
            features.append(time.perf_counter() - start)

    start = time.perf_counter()
    detector.fit(images, anomalies, 0, progress)
    whole = time.perf_counter() - start
    [some] = [batch for _, batch in zip(range(1), images.batches(16), strict=False)]
    return features[0], whole, _seconds_an_image(detector.predict, some)


def scoring_with_a_large_bank() -> Sequence[float]:
    """Seconds for an image."""
    torch.set_num_threads(os.cpu_count() or 1)
    detector = make_detector("patchcore", {"image_size": SIZE}, "resnet18", "random", "cpu")
    assert isinstance(detector, Patchcore)
    detector.restore({"bank": torch.from_numpy(Stream(0, 0, "bank").gaussian((BANK, CHANNELS)))})
    with tempfile.TemporaryDirectory() as directory:
        save_detector(detector, Path(directory))
        del detector
        loaded = load_detector(Path(directory), "cpu")
    return [_seconds_an_image(loaded.predict, next(Crops(8).batches(8)))]


def evaluating() -> Sequence[float]:
    """Seconds for all metrics of smooth random maps, a disc in every other one."""
    rows, columns = np.mgrid[:MAP_SIZE, :MAP_SIZE]
    maps, masks = [], []
    for number in range(MAPS):
        stream = Stream(0, number, "map")
        coarse = torch.from_numpy(stream.gaussian((1, 1, 64, 64)))
        scored = torch.nn.functional.interpolate(coarse, MAP_SIZE, mode="bilinear")[0, 0].numpy()
        row, column = stream.uniform((100, 900)), stream.uniform((100, 900))
        mask = np.hypot(rows - row, columns - column) < (stream.uniform((5, 90)) if number % 2 else 0)
        maps.append(scored + mask.astype(np.float32))
        masks.append(mask)
    start = time.perf_counter()
    anomalous = np.array([mask.any() for mask in masks])
    scores = np.array([scored.max() for scored in maps], np.float64)
    measure(Truth(anomalous, tuple(masks), ("",) * MAPS), Predictions(scores, tuple(maps)))
    return [time.perf_counter() - start]


class Crops:
    """Square crops of the built-in colour photographs, at random places."""

    def __init__(self, count: int) -> None:
        source = BuiltinSource(categories=["coffee", "cat", "retina"])
        photographs = [decode(source.read(entry.path)) for entry in source.entries()]
        self._images = []
        for number in range(count):
            stream = Stream(0, number, "crop")
            photograph = photographs[number % len(photographs)]
            row, column = (stream.integer(0, length - SIZE) for length in photograph.shape[:2])
            self._images.append(square(photograph[row : row + SIZE, column : column + SIZE], SIZE))

    def __len__(self) -> int:
        return len(self._images)

    def some(self, most: int) -> list[Pixels]:
        """The first crops."""
        return self._images[:most]

    def batches(self, size: int) -> Iterator[Tensor]:
        """All crops, as detectors are given them."""
        for first in range(0, len(self._images), size):
            yield to_tensor(self._images[first : first + size])


def _of_folder(source: str, count: int) -> tuple[tuple[str, ...], Callable[[str], bytes]]:
    found = source_for(source, None)
    return tuple(entry.path for entry in found.entries())[:count], found.read


def _seconds_an_image(predict: Callable[[Tensor], Any], images: Tensor) -> float:
    seconds = []
    for number in range(len(images) * 3):
        start = time.perf_counter()
        predict(images[number % len(images)][None])
        seconds.append(time.perf_counter() - start)
    return median(seconds[len(images) :])


def _alone(work: Callable[..., Sequence[float]], *arguments: Any) -> list[float]:
    """What the work returns in a process of its own, and the process's peak memory in bytes."""
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=_work, args=(work, arguments, results))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"the benchmark's process stopped with code {process.exitcode}")
    measured: list[float] = results.get()
    return measured


def _work(work: Callable[..., Sequence[float]], arguments: Sequence[Any], results: Any) -> None:
    measured = work(*arguments)
    status = Path("/proc/self/status").read_text()
    [peak] = [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")]
    results.put([*measured, peak])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="*", default=list(ROWS), choices=ROWS)
    parser.add_argument("--source", help="folder of normal images (default: crops of built-in photographs)")
    parser.add_argument(
        "--backbone", default="efficientnet_lite0", help="as for synthgen detect (default: %(default)s)"
    )
    parser.add_argument("--weights", default="imagenet", help="as for synthgen detect (default: %(default)s)")
    parser.add_argument("--count", type=int, default=209, help="images fitted on (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
