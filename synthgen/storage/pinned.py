"""Reading a file that was pinned by its hash."""

from collections.abc import Callable
from hashlib import sha256

from synthgen.errors import RunError
from synthgen.images.decode import UnusableImage


def pinned_bytes(read: Callable[[str], bytes], path: str, expected: str) -> bytes:
    """Read a file and check that it still is what the plan pinned. Raises RunError."""
    try:
        data = read(path)
    except (OSError, UnusableImage) as error:
        raise RunError(
            f"{path}: could be read when the plan was made, and now not any more ({error})"
        ) from error
    if sha256(data).hexdigest() != expected:
        raise RunError(f"{path}: changed since the plan was made; restore it, or start in a new directory")
    return data
