"""The devices that the suite runs on: the CPU, against itself, and a GPU where there is one."""

from collections.abc import Iterator

import pytest
import torch

from tests.diffusion.training.trainings import forget_accelerator


@pytest.fixture(
    params=[
        "cpu",
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here"),
        ),
    ]
)
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    forget_accelerator()
    yield str(request.param)
    forget_accelerator()
