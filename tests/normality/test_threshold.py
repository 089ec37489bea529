"""The threshold of normal variation: its closed form, and its promise in simulations of images in groups."""

import math

import pytest
import torch

from synthgen.errors import InputError
from synthgen.normality.pinned import least_images
from synthgen.normality.threshold import least_abnormal_share, normality_threshold


def test_it_is_the_quantile_with_a_new_image_counted_as_beyond_everything() -> None:
    distances = torch.rand(39, 16, generator=torch.Generator().manual_seed(1))
    slow = sorted(distances.flatten().tolist() + [math.inf] * 16)
    found = normality_threshold(list(distances), 0.95)
    assert found.value == pytest.approx(slow[math.ceil(0.95 * 40 * 16) - 1])
    assert (found.quantile, found.images) == (0.95, 39)


def test_new_images_keep_the_promise_though_cells_of_an_image_are_alike() -> None:
    generator = torch.Generator().manual_seed(2)
    beyond = []
    for _ in range(800):
        of_images = torch.randn(25, 1, generator=generator)  # shared by the cells of an image
        distances = (of_images + 0.3 * torch.randn(25, 20, generator=generator)).exp()
        threshold = normality_threshold(list(distances[:24]), 0.9)
        beyond.append(float((distances[24] > threshold.value).float().mean()))
    error = torch.tensor(beyond).std() / math.sqrt(len(beyond))
    assert 0.1 - 1 / 25 - 3 * error <= sum(beyond) / len(beyond) <= 0.1 + 3 * error


def test_too_few_images_promise_what_they_can() -> None:
    distances = torch.rand(12, 8, generator=torch.Generator().manual_seed(3))
    found = normality_threshold(list(distances), 0.95)
    assert found.value == float(distances.max())
    assert found.quantile == pytest.approx(12 / 13)
    assert least_images(0.95) == 19
    assert normality_threshold(list(torch.rand(19, 8)), 0.95).quantile == 0.95


@pytest.mark.parametrize("quantile", [0.0, 1.0, -0.1, float("nan")])
def test_a_quantile_is_a_share(quantile: float) -> None:
    with pytest.raises(InputError, match="above 0 and below 1"):
        normality_threshold(list(torch.rand(20, 4)), quantile)


def test_without_an_image_nothing_can_be_said() -> None:
    with pytest.raises(InputError, match="no image is held out"):
        normality_threshold([], 0.95)


def test_images_of_many_and_of_few_cells_weigh_the_same() -> None:
    """Against the sorted list in which the smaller one's cells are repeated."""
    generator = torch.Generator().manual_seed(4)
    sizes = [6, 3, 2, 1, 6, 3] * 5
    some = [torch.rand(size, generator=generator) for size in sizes]
    repeated = sorted(value for each in some for value in each.tolist() * (6 // len(each)))
    level = 0.8 * 31 / 30
    assert normality_threshold(some, 0.8).value == repeated[math.ceil(level * len(repeated) - 1e-9) - 1]


def test_the_share_of_an_image_is_the_split_conformal_rank() -> None:
    shares = [number / 100 for number in range(40)]
    assert least_abnormal_share(shares, 0.9) == sorted(shares)[math.ceil(0.9 * 41) - 1]
    assert least_abnormal_share(shares[:18], 0.95) == 1.0
    assert least_abnormal_share(shares[:19], 0.95) == 0.18
