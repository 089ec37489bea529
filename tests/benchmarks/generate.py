"""The speed of `synthgen generate` beside OpenCV's PNG encoder doing nothing but encode the same images.

For every method: (a) images and masks that are already in memory, encoded by OpenCV's default and written
to a tar; (a2) the same with synthgen's encoder; (b) the whole command, from the start of the interpreter to
the last mark. All use every core, run one after the other, and make as many 256 x 256 samples.
"""

import argparse
import io
import multiprocessing
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.benchmarks.machine import PeakMemory, describe

METHODS = ("cutpaste", "scar", "smoothblend", "cutout", "perlin-texture", "perlin-self-shuffle", "nsa")
BOUNDS = {"perlin-texture": 1.0, "perlin-self-shuffle": 1.0, "nsa": 0.4}
IN_MEMORY = 250
BUILT_IN = ("coffee", "cat", "immunohistochemistry", "retina")
"""The colour photographs of the built-in source: grey ones would be a third of the bytes."""
Members = dict[str, bytes]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--count", type=int, default=10_000, help="samples a measurement (default: %(default)s)"
    )
    parser.add_argument("--source", help="folder of normal images (default: the built-in textures)")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--formats", nargs="+", default=["png", "jpg"], choices=["png", "jpg"])
    options = parser.parse_args()
    print(describe())
    print(f"source    {options.source or ', '.join(BUILT_IN)}; {options.count} samples each\n")
    for image_format in options.formats:
        print_pipelines(options, image_format)
    print_synthesis(options)
    print(f"\n`synthgen --help`: {help_seconds():.2f} s")


def print_pipelines(options: argparse.Namespace, image_format: str) -> None:
    """A row a method: (a), (a2), (b), their ratios, memory."""
    columns = f"{'(a) OpenCV':>11} {'(a2) ours':>11} {'(b) generate':>13} {'b/a':>6} {'bound':>6} peak"
    print(f"{image_format:<20} {columns}")
    for method in options.methods:
        rates = {
            name: encode_rate(options, method, image_format, encoder)
            for name, encoder in (("a", "opencv"), ("a2", "synthgen"))
        }
        whole, peak = generate_rate(options, method, image_format)
        bound = f"{BOUNDS.get(method, 1.2):6.1f}" if image_format == "png" else "     -"
        print(
            f"{method:<20} {rates['a']:>9.0f}/s {rates['a2']:>9.0f}/s {whole:>11.0f}/s "
            f"{whole / rates['a']:>6.2f} {bound} {peak / 1e9:.2f} GB",
            flush=True,
        )
    print()


def encode_rate(options: argparse.Namespace, method: str, image_format: str, encoder: str) -> float:
    """Samples a second, on all cores, of encoding alone."""
    cores = os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(cores), context.Queue()
    work = Encoding(options.source, method, image_format, encoder, options.count // cores)
    processes = [context.Process(target=encode_worker, args=(work, ready, results)) for _ in range(cores)]
    for process in processes:
        process.start()
    spans = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return options.count / (max(end for _, end in spans) - min(start for start, _ in spans))


@dataclass(frozen=True)
class Encoding:
    """What one process encodes."""

    source: str | None
    method: str
    image_format: str
    encoder: str
    count: int


def encode_worker(work: Encoding, ready: Any, results: Any) -> None:
    """Keep some samples in memory, then encode them over and over into a tar."""
    from synthgen.runtime.processes import one_thread

    one_thread()
    samples = list(pipeline(work.source, work.method).samples(range(IN_MEMORY)))
    encode = opencv_members if work.encoder == "opencv" else synthgen_members
    with tempfile.TemporaryFile() as file, tarfile.open(fileobj=file, mode="w") as tar:
        ready.wait()
        start = time.time()
        for number in range(work.count):
            sample = samples[number % IN_MEMORY]
            for extension, data in encode(sample, work.image_format).items():
                member = tarfile.TarInfo(f"{number:09d}.{extension}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        results.put((start, time.time()))


def opencv_members(sample: Any, image_format: str) -> Members:
    """The image by OpenCV's default PNG or JPEG quality 95, the mask by its default PNG."""
    import cv2

    settings = [cv2.IMWRITE_JPEG_QUALITY, 95] if image_format == "jpg" else []
    image = cv2.imencode(f".{image_format}", sample.image[..., ::-1], settings)[1].tobytes()
    return {image_format: image, "mask.png": cv2.imencode(".png", sample.mask)[1].tobytes()}


def synthgen_members(sample: Any, image_format: str) -> Members:
    """The image and the mask by synthgen's encoder, every one as if it were the only one."""
    from synthgen.images import png
    from synthgen.images.encode import encode_jpeg

    image = encode_jpeg(sample.image, 95) if image_format == "jpg" else png.encode(sample.image)
    return {image_format: image, "mask.png": png.encode_mask(sample.mask)}


def generate_rate(options: argparse.Namespace, method: str, image_format: str) -> tuple[float, float]:
    """Samples a second of the whole command, and its peak memory in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "synthgen.cli", "generate", method, "--out", folder]
        command += ["--count", str(options.count), "--device", "cpu", "--set", "output.shard_size=1000"]
        command += ["--set", f"output.image_format={image_format}"]
        command += ["--source", options.source] if options.source else ["--set", built_in()]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        memory = PeakMemory(process.pid)
        while process.poll() is None:
            memory.look()
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)  # not a sleep, which would round the time up to whole seconds
        seconds = time.perf_counter() - start
        if process.returncode or not (Path(folder) / "manifest.json").exists():
            raise SystemExit(f"{' '.join(command)} failed")
    return options.count / seconds, memory.peak


def print_synthesis(options: argparse.Namespace) -> None:
    """Synthesis with its judge on one core, and what else a written sample costs."""
    from synthgen.runtime.processes import one_thread

    one_thread()
    columns = f"{'synthesis + judge':>18} {'synthesis':>12} {'encode':>9} {'the rest':>9}  (ms a sample)"
    print(f"{'one core':<20} {columns}")
    for method in options.methods:
        alone = timed_samples(options.source, method)
        total, making, encoding = timed_parts(options.source, method)
        print(
            f"{method:<20} {1 / alone:>16.0f}/s {making * 1e3:>12.2f} {encoding * 1e3:>9.2f} "
            f"{(total - making - encoding) * 1e3:>9.2f}",
            flush=True,
        )


def timed_samples(source: str | None, method: str, count: int = 1000) -> float:
    """Seconds a sample of the pipeline without encoding, normal images already decoded."""
    made = pipeline(source, method)
    for _ in made.samples(range(IN_MEMORY)):
        pass
    start = time.perf_counter()
    for _ in made.samples(range(count)):
        pass
    return (time.perf_counter() - start) / count


def timed_parts(source: str | None, method: str, count: int = 1000) -> tuple[float, float, float]:
    """Seconds a sample of a whole shard: in all, in synthesis, in encoding images and masks."""
    from synthgen.engines.worker import make_shard
    from synthgen.shards import encode as encode_module
    from synthgen.storage.output import OutputDirectory
    from synthgen.synthesizers import base as synthesizer_module
    from synthgen.synthesizers.registry import SYNTHESIZERS

    made, clock, kind = pipeline(source, method, count), Clock(), SYNTHESIZERS[method]
    for _ in made.samples(range(IN_MEMORY)):
        pass
    make = kind.make
    parts = (
        (kind, "draw", clock.wrap("synthesis", kind.draw)),
        (kind, "make", staticmethod(clock.wrap("synthesis", lambda *given: list(make(*given))))),
        (synthesizer_module, "composite", clock.wrap("synthesis", synthesizer_module.composite)),
        (encode_module, "encode_image", clock.wrap("encode", encode_module.encode_image)),
        (encode_module.png, "encode_mask", clock.wrap("encode", encode_module.png.encode_mask)),
    )
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        for place, name, timed in parts:
            stack.enter_context(patch.object(place, name, timed))
        start = time.perf_counter()
        make_shard(OutputDirectory(folder), made, 0, lambda _: None)
        total = time.perf_counter() - start
    return total / count, clock.seconds["synthesis"] / count, clock.seconds["encode"] / count


class Clock:
    """Adds up the time spent in wrapped functions."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

        return timed


def pipeline(source: str | None, method: str, count: int = 1000) -> Any:
    """The pipeline of a shipped recipe."""
    from synthgen.pipeline.freeze import freeze
    from synthgen.pipeline.pipeline import Pipeline
    from synthgen.recipe.files import load_recipe
    from synthgen.sources.recognise import source_for

    recipe = load_recipe(method, [f"count={count}", built_in()])
    if source:
        recipe = recipe.model_copy(update={"source": source_for(source)})
    return Pipeline(freeze(recipe))


def built_in() -> str:
    """The override that chooses the colour photographs."""
    return f"source.categories=[{', '.join(BUILT_IN)}]"


def help_seconds() -> float:
    """The fastest of five."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "synthgen.cli", "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
