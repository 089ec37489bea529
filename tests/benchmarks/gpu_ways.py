"""Ways to run a diffusion model's network on a GPU, and where its time goes.

`python -m tests.benchmarks.gpu_ways`. One step of one batch: as sampling runs it, as a CUDA graph, and
compiled by torch. A way that is much faster than the first is worth building into the sampler; the profile
says what else is. With `--dry-run` the first way alone, on the CPU.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

from synthgen.diffusion.training.presets import PresetName
from tests.benchmarks.machine import describe
from tests.benchmarks.networks import operations_of, plain_network, timed

ROWS = 25
"""Kernels in the profile's table, those that take most first."""
Step = Callable[[], torch.Tensor]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    print(describe())
    if options.dry_run:
        compare("tiny", 1, "cpu", 0.01)
    else:
        compare("small", options.batch, "cuda", 3)


@torch.inference_mode()
def compare(preset: PresetName, batch: int, device: str, seconds: float) -> None:
    """A row for each way, and the profile of the first."""
    unet = plain_network(preset, device)
    operations = operations_of(unet, device) * batch
    half = torch.float32 if device == "cpu" else torch.bfloat16
    unet = unet.to(half, memory_format=torch.channels_last)
    side, channels = unet.config.sample_size, unet.config.in_channels
    images = torch.zeros(batch, channels, side, side, device=device, dtype=half)
    images = images.contiguous(memory_format=torch.channels_last)
    timesteps = torch.full((batch,), 500, device=device)
    network: Callable[..., torch.Tensor] = lambda *given: unet(*given, return_dict=False)[0]  # noqa: E731

    def as_it_is() -> torch.Tensor:
        return network(images, timesteps)

    print(f"{preset}, batch {batch}, {half}")
    print(f"{'way':<12}{'ms a step':>11}{'TFLOP/s':>10}{'first call':>13}")
    print_way("eager", lambda: as_it_is, operations, device, seconds)
    if device == "cpu":
        return
    print_way("CUDA graph", lambda: captured(as_it_is), operations, device, seconds)
    compiled = torch.compile(network)
    print_way("compiled", lambda: lambda: compiled(images, timesteps), operations, device, seconds)
    print_profile(as_it_is)


def captured(step: Step) -> Step:
    """The same step as one CUDA graph."""
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # what is chosen at first calls may not be part of a graph
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = step()

    def replay() -> torch.Tensor:
        graph.replay()
        return output

    return replay


def print_way(name: str, make: Callable[[], Step], operations: int, device: str, seconds: float) -> None:
    """How long a step takes one way; or why it cannot be run."""

    def finished() -> None:
        step()
        if device != "cpu":
            torch.cuda.synchronize()

    begun = time.perf_counter()
    try:
        step = make()
        finished()
    except Exception as error:  # whatever a compiler or driver raises, the other ways are to be measured
        print(f"{name:<12} failed: {type(error).__name__}: {str(error).splitlines()[0]}", flush=True)
        return
    first = time.perf_counter() - begun
    timing = timed(finished, 1, seconds)
    print(
        f"{name:<12}{1000 / timing.rate:>11.2f}{operations * timing.rate / 1e12:>10.1f}{first:>11.1f} s",
        flush=True,
    )


def print_profile(step: Step) -> None:
    """Where the device's time goes."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        for _ in range(5):
            step()
        torch.cuda.synchronize()
    print(profiled.key_averages().table(sort_by="self_cuda_time_total", row_limit=ROWS))


if __name__ == "__main__":
    main()
