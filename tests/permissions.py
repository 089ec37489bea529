"""Files and folders that may not be read or written, for root too, which may read and write everything."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CAPABILITY_VERSION = 0x20080522
OVERRIDES = 0b110
"""The bits of CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder in which nobody may write; skips where this user is root and may not mount."""
    folder.mkdir(mode=0o500)
    if os.geteuid():
        yield
        return
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may write everywhere, and not mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def modes_obeyed() -> Iterator[None]:
    """Let this thread open files only as their modes allow, also if it is root's (see capabilities(7))."""
    if os.geteuid():
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    assert libc.capget(header, sets) == 0
    effective = sets[0]
    sets[0] = effective & ~OVERRIDES
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = effective
        assert libc.capset(header, sets) == 0
