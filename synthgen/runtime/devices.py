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
    if device != "cuda":
        return
    import torch

    if not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no CUDA device on this machine; use --device auto")
