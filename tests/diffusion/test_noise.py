"""Noise that is drawn ahead is the noise that is drawn when asked for, and never much of it waits."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from synthgen.diffusion import model as model_module
from synthgen.diffusion.model import Whole, load_model
from synthgen.diffusion.noise import DRAWS_AHEAD, NoiseAhead, NoiseOnCpu
from synthgen.diffusion.sampling import Sampling
from synthgen.streams import Stream

SEEDS, SHAPE = (11, 5, 8), (3, 4, 6)


@pytest.mark.parametrize("draws", [1, DRAWS_AHEAD, 3 * DRAWS_AHEAD])
def test_noise_drawn_ahead_is_that_of_each_samples_stream(draws: int) -> None:
    with ThreadPoolExecutor(4) as threads:
        ahead, asked = NoiseAhead(SEEDS, SHAPE, draws, "cpu", threads), NoiseOnCpu(SEEDS, SHAPE)
        for number in range(draws):
            noise = ahead(number)
            assert torch.equal(noise, asked(number))
            for place, seed in enumerate(SEEDS):
                assert np.array_equal(noise[place], Stream(seed, number, "noise").gaussian(SHAPE))


def test_no_more_is_drawn_than_will_be_asked_for_nor_far_ahead() -> None:
    class Counting(ThreadPoolExecutor):
        submitted = 0

        def submit(self, *arguments, **named):  # type: ignore[no-untyped-def]
            self.submitted += 1
            return super().submit(*arguments, **named)

    with Counting(2) as threads:
        noise = NoiseAhead(SEEDS, SHAPE, 6, "cpu", threads)
        counts = []
        for number in range(6):
            noise(number)
            counts.append(threads.submitted // len(SEEDS))
    assert counts == [4, 5, 6, 6, 6, 6]


def test_a_model_makes_the_same_images_with_either(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, sampling = [Whole(seed, 0.2, "brick") for seed in (1, 2)], Sampling(steps=3, batch=2)
    here = load_model("builtin").whole(asked, sampling)
    with ThreadPoolExecutor(2) as threads:
        monkeypatch.setattr(
            model_module,
            "NoiseOnCpu",
            lambda seeds, shape: NoiseAhead(seeds, shape, sampling.steps, "cpu", threads),
        )
        there = load_model("builtin").whole(asked, sampling)
    assert np.array_equal(here, there)
