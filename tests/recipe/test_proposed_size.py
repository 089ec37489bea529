"""The size that a first recipe proposes: kept where it can be, never larger, and in proportion."""

from collections import Counter

import pytest

from synthgen.images.preparation import MIN_SIDE
from synthgen.recipe.proposed_size import MOST_PIXELS, MOST_SHORTER_SIDE, Size, propose_size
from synthgen.streams import Stream


@pytest.mark.parametrize(
    ("sizes", "proposed"),
    [
        ({(256, 256): 3}, "native"),
        ({(100, 512): 1}, "native"),
        ({(16, 16): 3}, "native"),
        ({(20, 20): 6}, "native"),
        ({(64, 4000): 6}, "native"),
        ({(4000, 64): 6}, "native"),
        ({(24, 400): 6}, "native"),
        ({(5000, 200): 6}, "native"),
        ({(513, 513): 3}, (256, 256)),
        ({(1024, 768): 3}, (336, 256)),
        ({(768, 1024): 3}, (256, 336)),
        ({(3000, 4096): 3}, (256, 352)),
        ({(768, 1024): 3, (384, 512): 1, (1000, 1340): 1}, (256, 336)),
        ({(768, 1024): 3, (1024, 768): 1}, (256, 256)),
        ({(100, 100): 3, (100, 103): 1}, (100, 100)),
        ({(64, 3000): 2, (60, 4000): 1}, (60, 3000)),
        ({(64, 4000): 1, (4000, 64): 1}, (64, 64)),
        ({(300, 20_000): 2}, (123, 8192)),
        ({(10_000, 400): 2}, (5120, 205)),
        ({(100, 40_000): 1}, (20, 8192)),
        ({(16, 60_000): 1}, (16, 8192)),
    ],
)
def test_size(sizes: dict[Size, int], proposed: object) -> None:
    assert propose_size(Counter(sizes)).size == proposed


def test_nothing_is_enlarged_or_out_of_proportion() -> None:
    stream = Stream(0, 0, "sizes")
    for _ in range(2000):
        sides = (16, 9000) if stream.boolean(0.5) else (16, 600)
        sizes = Counter(
            (round(stream.log_uniform(sides)), round(stream.log_uniform(sides)))
            for _ in range(stream.integer(1, 3))
        )
        size = propose_size(sizes).size
        if size == "native":
            assert len(sizes) == 1
            (size,) = sizes
        height, width = size
        least_height, least_width = (min(sides) for sides in zip(*sizes, strict=True))
        assert height <= least_height and width <= least_width
        assert min(size) >= MIN_SIDE and max(size) <= 8192
        assert min(size) <= MOST_SHORTER_SIDE or (len(sizes) == 1 and max(size) <= 512)
        assert height * width <= 1.05 * MOST_PIXELS
        if min(size) > MIN_SIDE:
            assert width / height == pytest.approx(least_width / least_height, rel=0.05)


def test_it_says_why() -> None:
    assert propose_size(Counter({(20, 20): 6})).why == "The images have one size, which is kept."
    assert propose_size(Counter({(768, 1024): 1})).why == (
        "The images have 1024 x 768 pixels (width x height), which are shrunk."
    )
    assert propose_size(Counter({(60, 400): 1, (64, 90): 1})).why == (
        "The least width and height of the images, 90 x 60 pixels, so that none is enlarged."
    )
    assert propose_size(Counter({(600, 400): 1, (640, 900): 1})).why == (
        "The least width and height of the images, 400 x 600 pixels, shrunk, so that none is enlarged."
    )
