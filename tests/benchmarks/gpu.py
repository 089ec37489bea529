"""Everything that is to be known of this project on a GPU, in one run with a time budget.

`python -m tests.benchmarks.gpu` runs its parts one after the other, the most valuable first, each in a
process of its own, so that none can take the others with it. What a part prints is written to `--out` as soon
as it ends, or is cut off by the budget, and a summary after each: a run that is killed keeps what it came to.
It works from a checkout that is not installed: `PYTHONPATH=. python -m tests.benchmarks.gpu`. With
`--dry-run` every part runs in its smallest form on the CPU.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

SHORTEST = 10.0
"""Seconds below which no part is begun."""
SUMMARY = "summary.json"


class Part(NamedTuple):
    """A command, and how long it may take."""

    command: Sequence[str]
    dry: Sequence[str]
    """The same in its smallest form."""
    minutes: float


class Outcome(NamedTuple):
    """How a part ended."""

    part: str
    seconds: float
    code: int | None
    """Its exit code; None where the budget cut it off."""


def parts() -> dict[str, Part]:
    """All parts, in their order."""
    gpu = ("tests.benchmarks.gpu_parts",)
    diffusion = ("tests.benchmarks.diffusion",)
    ways = ("tests.benchmarks.gpu_ways",)
    suite = ("pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", "tests/device")
    own = {name: Part((*gpu, name), (*gpu, name, "--dry-run"), 1.5) for name in OWN}
    return {
        "machine": own.pop("machine"),
        "sampling": Part(
            (*diffusion, "--presets", "small", "--batches", "64", "256", "--seconds", "4"),
            (*diffusion, "--device", "cpu", "--batches", "1", "--seconds", "0.1"),
            2,
        ),
        "suite": Part(suite, (*suite, "-k", "cutpaste or views"), 3),
        "sampling-all": Part(
            (*diffusion, "--presets", "base", "adm", "--batches", "16", "64", "--seconds", "3"),
            (*diffusion, "--device", "cpu", "--batches", "2", "--seconds", "0.1"),
            2,
        ),
        "training": own.pop("training"),
        "ways": Part(ways, (*ways, "--dry-run"), 2.5),
        **own,
    }


OWN = ("machine", "training", "end-to-end", "loader", "paste", "abnormality", "pretraining", "detectors")
"""Parts of `tests.benchmarks.gpu_parts`."""


def main() -> None:
    """Run the parts that fit into the budget; exits with 1 where one failed."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * options.minutes
    outcomes: list[Outcome] = []
    for name, part in parts().items():
        if options.only and name not in options.only:
            continue
        left = min(end - time.monotonic(), 60 * part.minutes)
        if left < SHORTEST:
            print(f"{name}: not begun, the {options.minutes:g} minutes are over")
            continue
        outcomes.append(run(name, part.dry if options.dry_run else part.command, left, options.out))
        report = [outcome._asdict() for outcome in outcomes]
        (options.out / SUMMARY).write_text(json.dumps(report, indent=1) + "\n")
    sys.exit(any(outcome.code for outcome in outcomes))


def run(name: str, module: Sequence[str], seconds: float, out: Path) -> Outcome:
    """Run one part for so many seconds at most; what it prints is shown and kept, even if it is cut off."""
    begun = time.monotonic()
    print(f"== {name}: {' '.join(module)}", flush=True)
    file = out / f"{name}.txt"
    paths = os.pathsep.join(each for each in (str(Path.cwd()), os.environ.get("PYTHONPATH")) if each)
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}
    with file.open("w") as written:
        try:
            done = subprocess.run(
                [sys.executable, "-m", *module],
                stdout=written,
                stderr=subprocess.STDOUT,
                env=environment,
                timeout=seconds,
                check=False,
            )
            code: int | None = done.returncode
        except subprocess.TimeoutExpired:
            code = None
    print(file.read_text(), end="", flush=True)
    outcome = Outcome(name, round(time.monotonic() - begun, 1), code)
    print(
        f"== {name}: {'cut off' if code is None else f'exit code {code}'} after {outcome.seconds} s",
        flush=True,
    )
    return outcome


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=9, help="for all parts (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=parts(), help="these parts alone")
    parser.add_argument("--dry-run", action="store_true", help="the smallest form of each, on the CPU")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "gpu-bench")))
    return parser.parse_args()


if __name__ == "__main__":
    main()
