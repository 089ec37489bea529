"""Scar: the published sizes and turns, scaled with the image."""

import numpy as np
import pytest

from synthgen.scene import Scene
from synthgen.streams import Stream
from synthgen.synthesizers.common.patch import PatchParams
from synthgen.synthesizers.scar import Scar
from tests.synthesizers.scenes import MemoryLibrary, frozen


def scene(height: int, width: int) -> Scene:
    image, foreground = np.zeros((height, width, 1), np.uint8), np.full((height, width), 255, np.uint8)
    return Scene("0" * 64, "test", "texture", frozen(image), frozen(foreground), MemoryLibrary())


def drawn(size: tuple[int, int], count: int = 600) -> list[PatchParams]:
    place = scene(*size)
    return [Scar().draw(Stream(9, index, "test"), place) for index in range(count)]


@pytest.mark.parametrize(
    ("size", "scale"), [((256, 256), 1), ((512, 512), 2), ((1024, 1200), 4), ((128, 300), 0.5)]
)
def test_the_published_sizes_scale_with_the_shorter_side(size: tuple[int, int], scale: float) -> None:
    boxes = [params.cut for params in drawn(size)]
    widths, heights = [box.width for box in boxes], [box.height for box in boxes]
    assert (min(widths), max(widths)) == (max(2, round(2 * scale)), round(16 * scale))
    assert (min(heights), max(heights)) == (round(10 * scale), round(25 * scale))


def test_sizes_and_turns_are_uniform() -> None:
    from scipy.stats import kstest

    params = drawn((2048, 2048))
    assert kstest([each.cut.width for each in params], "uniform", (16, 112)).pvalue > 0.001
    assert kstest([each.cut.height for each in params], "uniform", (80, 120)).pvalue > 0.001
    assert kstest([each.rotation for each in params], "uniform", (-45, 90)).pvalue > 0.001


def test_twice_the_image_gives_twice_the_scar() -> None:
    for small, large in zip(drawn((256, 256), 50), drawn((512, 512), 50), strict=True):
        assert small.rotation == large.rotation
        for length, double in [(small.cut.width, large.cut.width), (small.cut.height, large.cut.height)]:
            assert abs(double - 2 * length) <= 1
        assert abs(large.target.left - 2 * small.target.left) <= 3
        assert abs(large.target.top - 2 * small.target.top) <= 3


def test_a_scar_that_is_longer_than_the_image_is_shortened() -> None:
    place = scene(40, 60)
    method = Scar(width=(200, 200), height=(300, 300), rotation=(30, 30))
    for index in range(20):
        target = method.draw(Stream(9, index, "test"), place).target
        assert target.left >= 0
        assert target.top >= 0
        assert target.left + target.width <= 60
        assert target.top + target.height <= 40
        assert target.width > 30
