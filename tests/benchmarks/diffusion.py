"""The speed of sampling whole images in 20 steps, with random weights.

On a CPU by one process of one thread, and by as many of them as there are cores, as the engine runs. On a GPU
by one process, as a share of the fastest matrix product in bfloat16, which the network is run in; for adm
beside the plain loop of diffusers' DDPMScheduler in float32 without TF32.

Milliseconds a step are those of a batch from its first noise to its bytes, divided by the steps.
"""

import argparse
import multiprocessing
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from synthgen.diffusion.model import DiffusionModel
from synthgen.diffusion.training.presets import PRESETS, PresetName
from synthgen.runtime.processes import one_thread
from tests.benchmarks.machine import describe
from tests.benchmarks.networks import (
    MATRIX_SIDE,
    STEPS,
    Timing,
    matmul_rate,
    model_of,
    operations_of,
    plain_loop,
    plain_network,
    size_of,
    timed,
    timed_if_it_fits,
    whole_images,
)

CPU_PRESETS: tuple[PresetName, ...] = ("tiny",)
GPU_PRESETS: tuple[PresetName, ...] = ("small", "base", "adm")
COMPARED: PresetName = "adm"
"""The preset whose plain loop is timed, too."""


def main() -> None:
    """Measure and print."""
    options = _options()
    print(describe())
    print(f"          diffusers {version('diffusers')}")
    if options.device == "cpu":
        for preset in options.presets or CPU_PRESETS:
            print_processes(preset, options.batches, options.seconds)
    else:
        print(f"device    {torch.cuda.get_device_name()}, CUDA {torch.version.cuda}")
        print_device(options.presets or GPU_PRESETS, options.batches, options.seconds, options.device)


def print_processes(preset: PresetName, batches: Sequence[int], seconds: float) -> None:
    """A row for each batch size: one process, and one for each core."""
    with model_of(preset) as directory:
        alone = timed_processes(directory, batches, seconds, 1)
        cores = os.cpu_count() or 1
        together = timed_processes(directory, batches, seconds, cores)
    size = size_of(preset)
    print(f"\n{preset}, {size} x {size}, {STEPS} steps, on the CPU; processes of one thread each")
    print(f"{'batch':>5}{'1 process':>15}{'a step':>12}{f'{cores} processes':>17}{'a step':>12}")
    for batch, one, all_of_them in zip(batches, alone, together, strict=True):
        rate = sum(timing.rate for timing in all_of_them)
        step = sum(timing.step(batch) for timing in all_of_them) / cores
        print(
            f"{batch:>5}{one[0].rate:>8.2f} images/s{one[0].step(batch):>9.1f} ms"
            f"{rate:>8.2f} images/s{step:>9.1f} ms"
        )


def timed_processes(
    directory: Path, batches: Sequence[int], seconds: float, count: int
) -> list[list[Timing]]:
    """For each batch size, what each of some processes made at the same time."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(count)
    results = [context.SimpleQueue() for _ in batches]
    processes = [
        context.Process(target=_work, args=(directory, batches, seconds, ready, results), daemon=True)
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise SystemExit(f"a process of the benchmark stopped with code {process.exitcode}")
    return [[queue.get() for _ in processes] for queue in results]


def _work(
    directory: Path, batches: Sequence[int], seconds: float, ready: Any, results: Sequence[Any]
) -> None:
    one_thread()
    model = DiffusionModel(directory)
    for batch, queue in zip(batches, results, strict=True):
        make = whole_images(model, batch)
        make()
        ready.wait()
        queue.put(timed(make, batch, seconds))


def print_device(presets: Sequence[PresetName], batches: Sequence[int], seconds: float, device: str) -> None:
    """For each preset, a row for each batch size."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    peak = {dtype: matmul_rate(dtype, seconds, device) for dtype in (torch.bfloat16, torch.float32)}
    for dtype, rate in peak.items():
        print(
            f"peak      {rate / 1e12:.1f} TFLOP/s, {dtype} product of {MATRIX_SIDE} x {MATRIX_SIDE}, no TF32"
        )
    for preset in presets:
        with model_of(preset) as directory:
            model = DiffusionModel(directory, device)
        plain = plain_network(preset, device)
        operations = operations_of(plain, device)
        size, cost = size_of(preset), f"{operations / 2e9:.1f} G multiply-adds a step and image"
        print(f"\n{preset}, {size} x {size}, {STEPS} steps; {cost}")
        print(f"{'batch':>5}{'images/s':>10}{'ms a step':>11}{'TFLOP/s':>10}{'of bf16 peak':>14}", end="")
        print(f"{'plain fp32 loop':>24}{'ratio':>7}" if preset == COMPARED else "")
        for batch in batches:
            timing = timed_if_it_fits(whole_images(model, batch), batch, seconds)
            if not timing:
                print(f"{batch:>5}  does not fit in the device's memory")
                continue
            speed = timing.rate * STEPS * operations
            print(f"{batch:>5}{timing.rate:>10.2f}{timing.step(batch):>11.2f}{speed / 1e12:>10.1f}", end="")
            print(f"{speed / peak[torch.bfloat16]:>14.1%}", end="")
            if preset == COMPARED:
                loop = timed_if_it_fits(plain_loop(plain, preset, batch, device), batch, seconds)
                print(
                    f"{loop.rate:>15.2f} images/s{timing.rate / loop.rate:>7.1f}"
                    if loop
                    else "  does not fit"
                )
            else:
                print()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=["cpu", "cuda"], default=device)
    parser.add_argument(
        "--presets", nargs="+", choices=PRESETS, help="default: tiny; small, base, adm on a GPU"
    )
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--seconds", type=float, default=5, help="of a measurement (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
