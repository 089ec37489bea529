"""The parts of the benchmark on a GPU that are no benchmark of their own.

`python -m tests.benchmarks.gpu_parts NAME`. Every part compares within itself. With `--dry-run` it runs in
its smallest form on the CPU.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from accelerate import Accelerator

import synthgen
from synthgen.detectors.registry import make_detector
from synthgen.diffusion.training.images import TrainingImages
from synthgen.diffusion.training.presets import PresetName
from synthgen.diffusion.training.settings import TrainingSettings
from synthgen.diffusion.training.trainer import Trainer
from synthgen.pipeline.anomaly_source import images_tensor
from synthgen.pretraining.images import Batch
from synthgen.pretraining.settings import PretrainingSettings
from synthgen.pretraining.trainer import Trainer as PretrainingTrainer
from synthgen.recipe.files import load_recipe
from synthgen.runtime.acceleration import Precision, accelerator
from synthgen.runtime.memory import is_out_of_memory
from tests.benchmarks.machine import describe
from tests.benchmarks.networks import MATRIX_SIDE, matmul_rate, timed
from tests.detectors.images import Images, no_progress, normal_images
from tests.diffusion.training.trainings import forget_accelerator

COPIED = 2**31
"""Bytes that are copied at a time to measure the memory's bandwidth."""
SEED = 0


class Scale(NamedTuple):
    """How large a part is measured."""

    device: str
    seconds: float
    """Of each measurement."""
    small: bool


def machine(scale: Scale) -> None:
    """What the device is, and the peaks that all else is compared with."""
    print(describe())
    if scale.small:
        print("device    cpu (dry run)")
        return
    print(f"device    {torch.cuda.get_device_name()}, CUDA {torch.version.cuda}")
    for dtype in (torch.bfloat16, torch.float32):
        rate = matmul_rate(dtype, scale.seconds, scale.device)
        print(f"matmul    {rate / 1e12:.1f} TFLOP/s, {dtype} product of {MATRIX_SIDE} x {MATRIX_SIDE}")
    source = torch.empty(COPIED, dtype=torch.uint8, device=scale.device)
    target = torch.empty_like(source)

    def copy() -> None:
        for _ in range(10):
            target.copy_(source)
        torch.cuda.synchronize()

    copy()
    rate = timed(copy, 10, scale.seconds).rate * 2 * COPIED
    print(f"copy      {rate / 1e12:.2f} TB/s on the device, bytes read and written")


def training(scale: Scale) -> None:
    """Updates of the diffusion models' training: float32 beside bfloat16, by preset and batch."""
    presets: Sequence[PresetName] = ("tiny",) if scale.small else ("small", "base")
    print(f"{'preset':<8}{'precision':>10}{'batch':>7}{'images/s':>10}{'ms an update':>14}")
    for preset in presets:
        size, batches = (16, (2,)) if scale.small else (256, (16, 64))
        pixels = np.random.default_rng(SEED).integers(0, 256, (32, size, size, 3), np.uint8)
        images = TrainingImages(pixels, np.zeros(32, np.int64), ("one",), tuple(map(str, range(32))), ())
        for batch in batches:
            for precision in ("no", "bf16"):
                settings = TrainingSettings.model_validate(
                    {"preset": preset, "size": size, "batch": batch, "precision": precision}
                )
                trainer = Trainer(images, settings, _anew(scale.device, settings.precision))
                _print_updates(f"{preset:<8}{precision:>10}{batch:>7}", trainer.update, batch, scale.seconds)


def pretraining(scale: Scale) -> None:
    """Updates of SPD's pre-training on images that lie ready: ResNet-50 at 256 x 256, 256 images in parts."""
    backbone, size, batch, parts = (
        ("resnet18", 32, 4, (2,)) if scale.small else ("resnet50", 256, 256, (2, 4, 8))
    )
    print(f"{'backbone':<10}{'precision':>10}{'parts':>7}{'images/s':>10}{'ms an update':>14}")
    for accumulate in parts:
        for precision in ("no", "bf16"):
            settings = PretrainingSettings.model_validate(
                {
                    "backbone": backbone,
                    "stage": 4,
                    "init": "random",
                    "size": size,
                    "batch": batch,
                    "accumulate": accumulate,
                    "precision": precision,
                    "steps": 10_000,
                }
            )
            trainer = PretrainingTrainer(
                _Ready(settings),  # type: ignore[arg-type]
                settings,
                _anew(scale.device, settings.precision),
            )
            label = f"{backbone:<10}{precision:>10}{accumulate:>7}"
            _print_updates(label, trainer.update, batch, scale.seconds)


class _Ready:
    """The same images for every update, so that nothing but the update is timed."""

    count = 4096

    def __init__(self, settings: PretrainingSettings) -> None:
        count, side = settings.together, settings.size
        images = torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(SEED))
        copies = images.clone()
        copies[:, :, side // 4 : side // 2, side // 4 : side // 2] = 0
        self._batch = Batch(images, copies, torch.ones(count, dtype=torch.bool), torch.arange(count))

    def batch(self, number: int, settings: PretrainingSettings, part: int = 0) -> Batch:
        """The images."""
        return self._batch


def end_to_end(scale: Scale) -> None:
    """`synthgen generate` of diffusion anomalies into shards, from the recipe to the last mark.

    Several workers share the device: while one encodes, another samples.
    """
    print(f"{'recipe':<18}{'device':>7}{'workers':>9}{'samples':>9}{'seconds':>9}{'images/s':>10}")
    runs = [(1, 2)] if scale.small else [(1, 1500), (2, 1500), (4, 1500)]
    for workers, count in runs:
        quick = [f"synthesizers.{number}.sampling={{steps: 5, batch: 1}}" for number in range(2)]
        large = [f"synthesizers.{number}.sampling.batch=128" for number in range(2)]
        more = quick if scale.small else [*large, "output.shard_size=128"]
        recipe = load_recipe("sdas-quickstart", [f"count={count}", *more])
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            synthgen.generate(recipe, Path(folder) / "shards", device=scale.device, workers=workers)
            seconds = time.perf_counter() - begun
        print(
            f"{'sdas-quickstart':<18}{scale.device:>7}{workers:>9}{count:>9}{seconds:>9.1f}"
            f"{count / seconds:>10.1f}",
            flush=True,
        )


def loader(scale: Scale) -> None:
    """Batches of `DeviceLoader`, ready on the device, beside one process that makes samples."""
    sizes = (64,) if scale.small else (256, 1024)
    cores = os.cpu_count() or 1
    print(f"{'method':<16}{'size':>6}{'one process':>13}{f'{cores} workers':>12}{'ratio':>8}   samples/s")
    for method in ("perlin-texture", "cutpaste"):
        for size in sizes:
            count = 16 if scale.small else 8000 * 256**2 // size**2
            plan = synthgen.freeze(load_recipe(method, [f"size=[{size}, {size}]", f"count={count}"]))
            alone = _samples_a_second(plan, "cpu", scale.seconds)
            batches = iter(synthgen.DeviceLoader(plan, scale.device, 8 if scale.small else 32))
            next(batches)  # the workers have begun
            begun = time.perf_counter()
            rate = sum(len(batch.label) for batch in batches) / (time.perf_counter() - begun)
            print(f"{method:<16}{size:>6}{alone:>13.0f}{rate:>12.0f}{rate / alone:>8.2f}", flush=True)


def paste(scale: Scale) -> None:
    """Samples of the paste methods in memory, one process, the device beside the CPU."""
    sizes = (64,) if scale.small else (256, 1024)
    print(f"{'method':<22}{'size':>6}{'cpu':>12}{'device':>12}{'ratio':>8}   samples/s")
    for method in ("perlin-texture", "perlin-self-shuffle", "nsa", "cutpaste"):
        for size in sizes:
            plan = synthgen.freeze(load_recipe(method, [f"size=[{size}, {size}]"]))
            cpu, device = (_samples_a_second(plan, where, scale.seconds) for where in ("cpu", scale.device))
            print(f"{method:<22}{size:>6}{cpu:>12.0f}{device:>12.0f}{device / cpu:>8.2f}", flush=True)


def abnormality(scale: Scale) -> None:
    """The verdict of abnormality: samples a second with and without it, the device beside the CPU."""
    more = ["size=[64, 64]", "source.categories=[brick]", "source.held_out=0.3"]
    print(f"{'rule':<10}{'cpu':>10}{'device':>10}   samples/s")
    for rule in ("none", "report", "redraw"):
        asked = [] if rule == "none" else [f"judge={{abnormal: {{quantile: 0.6, otherwise: {rule}}}}}"]
        try:
            plan = synthgen.freeze(load_recipe("mixed", [*more, "resize=tile", *asked]))
        except (synthgen.errors.InputError, synthgen.errors.RunError) as error:
            print(f"{rule:<10} not measured: {error}")
            continue
        cpu, device = (_samples_a_second(plan, where, scale.seconds) for where in ("cpu", scale.device))
        print(f"{rule:<10}{cpu:>10.0f}{device:>10.0f}", flush=True)


def detectors(scale: Scale) -> None:
    """Fitting and scoring, the device beside the CPU."""
    size, count, backbone = (64, 8, "resnet18") if scale.small else (256, 128, "wide_resnet50_2")
    images = normal_images(count, size=size)
    print(f"{backbone}, random weights, {count} images of {size} x {size}")
    print(f"{'method':<12}{'device':>7}{'fit, s':>9}{'scored/s':>10}")
    for method, settings in (("padim", {}), ("patchcore", {"coreset": 0.01})):
        for device in dict.fromkeys((scale.device, "cpu")):
            some = images if device != "cpu" or scale.small else images[:32]
            detector = make_detector(
                method,
                {"image_size": size, **settings},
                backbone,  # type: ignore[arg-type]
                "random",
                device,
            )
            begun = time.perf_counter()
            detector.fit(Images(some), None, SEED, no_progress)
            fitted = time.perf_counter() - begun

            def score(detector=detector) -> None:  # type: ignore[no-untyped-def]
                detector.predict(images[:8])

            rate = timed(score, 8, scale.seconds).rate
            print(f"{method:<12}{device:>7}{fitted:>9.1f}{rate:>10.1f}", flush=True)


PARTS: dict[str, Callable[[Scale], None]] = {
    "machine": machine,
    "training": training,
    "end-to-end": end_to_end,
    "loader": loader,
    "paste": paste,
    "abnormality": abnormality,
    "pretraining": pretraining,
    "detectors": detectors,
}


def _anew(device: str, precision: Precision) -> Accelerator:
    """An accelerator, whatever precision the one before had."""
    forget_accelerator()
    return accelerator(device, precision)


def _print_updates(label: str, update: Callable[[int], object], images: int, seconds: float) -> None:
    """A row: how many images a second; or that they do not fit."""
    number = 0

    def make() -> None:
        nonlocal number
        update(number)
        number += 1

    try:
        make()
        timing = timed(make, images, seconds)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        print(f"{label}  does not fit in the device's memory", flush=True)
        return
    print(f"{label}{timing.rate:>10.1f}{1000 * images / timing.rate:>14.1f}", flush=True)


def _samples_a_second(plan: synthgen.Plan, device: str, seconds: float) -> float:
    pipeline = synthgen.Pipeline(plan, device)
    taken = 0

    def make() -> None:
        nonlocal taken
        samples = list(pipeline.samples(range(taken, taken + 32)))
        images_tensor([sample.image for sample in samples]).to(device)
        taken += 32

    make()
    return timed(make, 32, seconds).rate


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    options = parser.parse_args()
    scale = Scale("cpu", 0.01, True) if options.dry_run else Scale(options.device, 3, False)
    PARTS[options.part](scale)


if __name__ == "__main__":
    main()
