"""Torch on one thread, where the number of threads would change bits or cost time."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let torch use one thread for a while.

    Small images are not worth sharing, and a network's last bits depend on how many threads add them up.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
