"""Lack of memory, of this machine or of its GPU, as one sentence."""

import ctypes
import sys

from synthgen.errors import RunError

_OF_A_CPU = ("DefaultCPUAllocator", "could not create a primitive", "could not create a memory object")
"""What torch's allocator and oneDNN say when they have no memory."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether a device, numpy, or one of torch's ways to compute on a CPU asked in vain for memory."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")  # who never imported it has no error of it
    if torch and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OF_A_CPU)


def out_of_memory(error: Exception) -> RunError | None:
    """One sentence where an error is a lack of memory, else None."""
    if not is_out_of_memory(error):
        return None
    return RunError(
        "there is not enough memory; choose a smaller batch, model or image size, or fewer workers"
    )


def keep_freed_memory() -> None:
    """Let this process keep what it frees, up to 2 GiB, rather than give it back to the system.

    Whoever asks for the same large blocks over and over has each page of them cleared anew otherwise, which
    takes up to a third of the time of training on a CPU. Does nothing where the C library is not glibc.
    """
    mmap_threshold, trim_threshold, most = -3, -1, 2**31 - 1  # malloc.h
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(mmap_threshold, most)
        mallopt(trim_threshold, most)
