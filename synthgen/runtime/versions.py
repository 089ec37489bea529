"""The versions of all that decides the bytes of a shard."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "synthgen-anomaly"
"""What pip calls this package: another one has the name synthgen there."""
NOT_INSTALLED = "not installed"
"""In place of a version, for what is imported from a checkout, or comes in a package of another name."""


@cache
def versions() -> dict[str, str]:
    """The versions of what decides the bytes, and the kind of processor."""
    import platform

    packages = ("torch", "numpy", "opencv-python-headless", "pillow", "isal")
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "synthgen": version_of(DISTRIBUTION),
        **{package: version_of(package) for package in packages},
    }


def version_of(package: str) -> str:
    """The version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_INSTALLED
