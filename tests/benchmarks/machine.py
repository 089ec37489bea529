"""What a benchmark ran on."""

import os
import platform
import subprocess
from pathlib import Path

from synthgen.runtime.versions import version_of

PACKAGES = ("synthgen-anomaly", "torch", "numpy", "opencv-python-headless", "isal", "pillow")


def describe() -> str:
    """Hardware, versions and commit, a line each."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        "?",
    )
    memory = next((line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), "0")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    packages = ", ".join(f"{package} {version_of(package)}" for package in PACKAGES)
    return "\n".join(
        (
            f"machine   {os.cpu_count()} cores of {model}, {int(memory) / 2**20:.0f} GiB",
            f"software  Python {platform.python_version()}, {packages}",
            f"commit    {commit}",
        )
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


class PeakMemory:
    """The largest sum of the proportional set sizes of a process and its descendants, in bytes."""

    def __init__(self, process: int) -> None:
        self._process = process
        self.peak = 0

    def look(self) -> None:
        """Measure once."""
        self.peak = max(self.peak, sum(_proportional_set_size(pid) for pid in _descendants(self._process)))


def _descendants(process: int) -> list[int]:
    found, waiting = [], [process]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += [
            int(child) for line in _lines(f"/proc/{pid}/task/{pid}/children") for child in line.split()
        ]
    return found


def _proportional_set_size(pid: int) -> int:
    line = next((line for line in _lines(f"/proc/{pid}/smaps_rollup") if line.startswith("Pss:")), "Pss: 0")
    return int(line.split()[1]) * 1024
