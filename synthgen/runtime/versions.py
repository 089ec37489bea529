"""The versions of all that decides the bytes of a shard."""

from functools import cache
from importlib.metadata import version


@cache
def versions() -> dict[str, str]:
    """The versions of what decides the bytes, and the kind of processor."""
    import platform

    packages = ("synthgen", "torch", "numpy", "opencv-python-headless", "pillow", "isal")
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{package: version(package) for package in packages},
    }
