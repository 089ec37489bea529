"""Which device torch runs on."""

from synthgen.errors import InputError


def torch_device(device: str, number: int) -> str:
    """Where a worker's torch runs: the GPUs in turn, if there are any and ``device`` is not ``cpu``."""
    gpus = 0 if device == "cpu" else gpu_count()
    return f"cuda:{number % gpus}" if gpus else "cpu"


def gpu_count() -> int:
    """How many GPUs torch finds."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def require_device(device: str) -> None:
    """Raise InputError where ``cuda`` is asked for and there is no such device."""
    if device == "cuda" and not gpu_count():
        raise InputError("device cuda: torch finds no CUDA device on this machine; use auto or cpu")


def chosen_device(device: str) -> str:
    """Where the one network of this process runs: ``cuda`` or ``cpu``, for ``auto``, ``cuda`` or ``cpu``.

    Raises InputError as `require_device` does.
    """
    require_device(device)
    if device != "auto":
        return device
    return "cuda" if gpu_count() else "cpu"
