"""Fixtures for sources."""

from collections.abc import Iterator

import pytest


@pytest.fixture
def memory_folder() -> Iterator[str]:
    """The URL of an empty folder in memory."""
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.makedirs("/synthgen-test/images")
    yield "memory://synthgen-test/images"
    memory.rm("/synthgen-test", recursive=True)
