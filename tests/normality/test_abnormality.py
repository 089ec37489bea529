"""How abnormal a defect is, beside a slow version that goes from cell to cell and pixel to pixel."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf
from torch import Tensor

from synthgen.errors import InputError
from synthgen.normality.abnormality import abnormalities
from synthgen.normality.memory import CELLS, LOOKED_AT, NormalMemory

SIDE, STRIDE, CHANNELS = 6, 8, 5


def cells(count: int, seed: int) -> Tensor:
    spread = torch.tensor([1.0, 10.0, 0.1, 3.0, 1.0])
    values = torch.randn(count, CHANNELS, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    return values * spread[:, None, None] + 4


def points(images: Tensor) -> list[Tensor]:
    """The cells (M, C) of each image."""
    return [image.flatten(1).mT for image in images]


@pytest.fixture(scope="module")
def memory() -> NormalMemory:
    return NormalMemory.of(points(cells(30, 0)), 30, points(cells(25, 1)), 0.9)


def slow_distance(cell: Tensor) -> float:
    """To the nearest of all cells that the memory was made of: fewer than it may hold."""
    known = cells(30, 0).permute(0, 2, 3, 1).reshape(-1, CHANNELS).double().numpy()
    deviation = known.std(0)
    inverse = np.linalg.inv(LedoitWolf().fit(known / deviation).covariance_)
    differences = (cell.double().numpy() - known) / deviation
    return float(min(mahalanobis(each, np.zeros(CHANNELS), inverse) for each in differences))


def test_distances_and_shares_equal_the_slow_ones(memory: NormalMemory) -> None:
    assert len(memory.cells) == 30 * SIDE**2 < CELLS
    images = cells(3, 2)
    images[1] += 30.0
    images[2, :, :3] += 30.0
    masks = torch.zeros(3, SIDE * STRIDE, SIDE * STRIDE, dtype=torch.bool)
    masks[0, 3:, 5:] = True
    masks[1, 40:, 40:] = True
    masks[2, 20:29, 8:16] = True
    found = abnormalities(images, masks, memory)
    for number in range(3):
        total = beyond = relative = 0.0
        for row in range(SIDE):
            for column in range(SIDE):
                pixels = int(
                    masks[number, row * STRIDE :, column * STRIDE :][:STRIDE, :STRIDE].sum()
                )  # of the mask
                if pixels:
                    distance = slow_distance(images[number, :, row, column]) / memory.threshold.value
                    total += pixels
                    beyond += pixels * (distance > 1)
                    relative += pixels * distance
        assert found[number].share == pytest.approx(beyond / total, abs=1e-6)
        assert found[number].excess == pytest.approx(relative / total - 1, rel=1e-4)
    assert found[1].share == 1.0
    assert found[2].share >= 4 / 9


def test_what_is_remembered_is_normal(memory: NormalMemory) -> None:
    assert float(memory.distances(torch.cat(points(cells(30, 0)))).max()) < 1e-2


def test_new_good_images_are_called_abnormal_at_the_rate_that_was_set() -> None:
    memory = NormalMemory.of(points(cells(30, 0)), 30, points(cells(100, 1)), 0.9)
    relative = [memory.relative_distances(image) for image in points(cells(300, 3))]
    shares = torch.stack([(some > 1).float().mean() for some in relative])
    assert float(shares.mean()) == pytest.approx(1 - 0.9 * 101 / 100, abs=0.02)
    assert float((shares > memory.image_share).float().mean()) <= 0.1 + 3 * 0.3 / 300**0.5
    assert 0.1 < memory.image_share < 0.5


def test_of_many_images_each_gives_as_many_cells() -> None:
    """Where more may be remembered than there are, whatever was drawn is there."""
    count = 2 * LOOKED_AT // SIDE**2
    many = [torch.full((SIDE**2, 1), float(number)) for number in range(count)]
    memory = NormalMemory.of(many, count, many[:20], 0.9)
    kept = (memory.cells[:, 0] / memory.whitening[0, 0] + memory.mean).round()
    assert len(kept.unique()) == len(kept) == count


def test_of_more_cells_the_farthest_are_remembered() -> None:
    """Against choosing, by the closed form: the farthest cell of all others is never left out."""
    generator = torch.Generator().manual_seed(5)
    images = [torch.randn(50, 3, generator=generator) for _ in range(100)]
    images[70][13] = 50.0
    memory = NormalMemory.of(images, 100, images[:20], 0.9)
    assert len(memory.cells) == CELLS < 5000
    assert float(memory.distances(images[70][13:14])) < 1e-3
    every = torch.cat(images)
    left = memory.distances(every)
    # A k-center's radius is at most that of any choice with as many, doubled (Gonzalez, 1985).
    drawn = every[torch.randperm(5000, generator=generator)[:CELLS]]
    scaled, others = ((some - memory.mean) @ memory.whitening for some in (every, drawn))
    assert float(left.max()) <= float(torch.cdist(scaled, others).amin(1).max())


def test_constant_images_have_no_variation() -> None:
    constant = torch.full((20, CHANNELS, SIDE, SIDE), 2.0)
    memory = NormalMemory.of(points(constant), 20, points(constant), 0.9)
    mask = torch.ones(1, SIDE * STRIDE, SIDE * STRIDE, dtype=torch.bool)
    assert abnormalities(constant[:1], mask, memory)[0].share == 0.0
    assert abnormalities(constant[:1] + 0.1, mask, memory)[0].share == 1.0


def test_without_good_images_nothing_is_normal() -> None:
    with pytest.raises(InputError, match="no good image"):
        NormalMemory.of([], 0, points(cells(2, 0)), 0.9)
