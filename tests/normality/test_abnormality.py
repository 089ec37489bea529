"""How abnormal a defect is, beside a slow version that goes from cell to cell and pixel to pixel."""

import pytest
import torch
from torch import Tensor

from synthgen.errors import InputError
from synthgen.normality.abnormality import abnormalities
from synthgen.normality.memory import CELLS, NormalMemory

SIDE, STRIDE, CHANNELS = 6, 8, 5


def cells(count: int, seed: int) -> Tensor:
    spread = torch.tensor([1.0, 10.0, 0.1, 3.0, 1.0])
    values = torch.randn(count, CHANNELS, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    return values * spread[:, None, None] + 4


@pytest.fixture(scope="module")
def memory() -> NormalMemory:
    return NormalMemory.of(cells(30, 0).split(7), 30, cells(25, 1).split(4), 0.9)  # type: ignore[no-untyped-call]


def slow_distance(cell: Tensor) -> float:
    """To the nearest of all cells that the memory was made of: fewer than it may hold."""
    known = cells(30, 0).permute(0, 2, 3, 1).reshape(-1, CHANNELS).double()
    deviation = known.std(0, correction=0)
    return min(float(((cell.double() - each) / deviation).norm()) for each in known)


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


def test_what_is_remembered_is_normal_and_needs_no_batches(memory: NormalMemory) -> None:
    assert float(memory.distances(cells(30, 0)).max()) < 1e-2
    other = NormalMemory.of([cells(30, 0)], 30, [cells(25, 1)], 0.9)
    assert torch.equal(other.cells, memory.cells)
    assert other.threshold.value == pytest.approx(memory.threshold.value, rel=1e-5)


def test_new_good_images_are_called_abnormal_at_the_rate_that_was_set() -> None:
    memory = NormalMemory.of([cells(30, 0)], 30, [cells(100, 1)], 0.9)
    beyond = (memory.distances(cells(300, 3)) > memory.threshold.value).float().mean()
    assert float(beyond) == pytest.approx(1 - 0.9 * 101 / 100, abs=0.02)


def test_of_many_images_each_gives_as_many_cells() -> None:
    many = torch.arange(300.0)[:, None, None, None].expand(-1, 1, SIDE, SIDE)
    memory = NormalMemory.of([many], 300, [many[:20]], 0.9)
    kept = (memory.cells[:, 0] * memory.deviation + memory.mean).round()
    assert (kept.unique(return_counts=True)[1] == -(-CELLS // 300)).all()


def test_constant_images_have_no_variation() -> None:
    constant = torch.full((20, CHANNELS, SIDE, SIDE), 2.0)
    memory = NormalMemory.of([constant], 20, [constant], 0.9)
    mask = torch.ones(1, SIDE * STRIDE, SIDE * STRIDE, dtype=torch.bool)
    assert abnormalities(constant[:1], mask, memory)[0].share == 0.0
    assert abnormalities(constant[:1] + 0.1, mask, memory)[0].share == 1.0


def test_without_good_images_nothing_is_normal() -> None:
    with pytest.raises(InputError, match="no good image"):
        NormalMemory.of([], 0, [cells(2, 0)], 0.9)
