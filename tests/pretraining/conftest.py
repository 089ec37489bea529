"""Shared by the tests of pre-training."""

from collections.abc import Iterator

import pytest

from tests.diffusion.training.trainings import forget_accelerator


@pytest.fixture(autouse=True)
def own_accelerator() -> Iterator[None]:
    """Accelerate keeps one state in a process, which is forgotten before and after each test."""
    forget_accelerator()
    yield
    forget_accelerator()
