"""A foreground of very many pieces: cleaned up as piece by piece, and in time that grows as they do."""

from collections.abc import Callable
from time import process_time

import cv2
import numpy as np
import pytest

from synthgen.images.pixels import Pixels
from synthgen.regions import foreground_decision
from synthgen.regions.foreground import Segmentation, decide
from synthgen.regions.foreground_rule import segment


def woven(height: int, width: int, number: int = 0) -> Pixels:
    """A dotted or woven material (H, W, 3)."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(number).normal(0, 10, x.shape)
    grey = 120 + 30 * np.sin(x / 3 + number) * np.cos(y / 4) + noise
    return np.dstack([grey, grey * 0.8, grey * 0.6]).clip(0, 255).astype(np.uint8)


def specks(height: int, width: int, share: float = 0.7, seed: int = 0) -> Pixels:
    """A mask (H, W) of single pixels and small pieces, with nearly as many holes."""
    return np.where(np.random.default_rng(seed).random((height, width)) < share, 255, 0).astype(np.uint8)


def rings(height: int, width: int, thickness: int) -> Pixels:
    """Rectangles one inside of the other: every hole holds a piece with a hole."""
    y, x = np.mgrid[:height, :width]
    depth = np.minimum.reduce([y, x, height - 1 - y, width - 1 - x])
    return np.where(depth // thickness % 2 == 1, 255, 0).astype(np.uint8)


def blobs(height: int, width: int, blur: float, seed: int) -> Pixels:
    smooth = cv2.GaussianBlur(np.random.default_rng(seed).random((height, width)), (0, 0), blur)
    return np.where(smooth > np.median(smooth), 255, 0).astype(np.uint8)


MASKS = {
    "empty": np.zeros((20, 30), np.uint8),
    "full": np.full((20, 30), 255, np.uint8),
    "one row": specks(1, 60),
    "one column": specks(60, 1),
    "dots": np.kron(np.ones((9, 12)), np.array([[255, 0], [0, 0]])).astype(np.uint8),
    "chequered": np.kron(np.ones((9, 12)), np.array([[255, 0], [0, 255]])).astype(np.uint8),
    "sieve": np.kron(np.ones((9, 12)), np.array([[255, 255, 255], [255, 0, 255]])).astype(np.uint8),
    "thin rings": rings(41, 52, 1),
    "thick rings": rings(60, 44, 3),
    "woven": np.where(woven(60, 80)[..., 0] > 120, 255, 0).astype(np.uint8),
    **{f"specks {share}": specks(50, 60, share) for share in (0.1, 0.4, 0.6, 0.9)},
    **{f"blobs {seed}": blobs(80, 70, 0.6 + seed / 4, seed) for seed in range(8)},
}


def cleaned_piece_by_piece(mask: Pixels, smallest: float, fill: float) -> Pixels:
    """What `Segmentation` says of ``smallest`` and ``fill``, with every piece in a picture of its own."""
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    pieces = [np.where(labels == number, np.uint8(255), np.uint8(0)) for number in range(1, count)]
    outlines = [cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0] for piece in pieces]
    areas = [cv2.contourArea(outline) for outline in outlines]
    cleaned = mask.copy()
    for outline, area in zip(outlines, areas, strict=True):
        if area < smallest * max(areas):
            cv2.drawContours(cleaned, [outline], 0, 0, cv2.FILLED)
    for piece, area in zip(pieces, areas, strict=True):
        if area < smallest * max(areas):
            continue
        found, tree = cv2.findContours(piece, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        for outline, (_, _, _, around) in zip(found, tree[0], strict=True):
            if around >= 0 and cv2.contourArea(outline) <= fill * area:
                cv2.drawContours(cleaned, [outline], 0, 255, cv2.FILLED)
    return cleaned


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
@pytest.mark.parametrize(("smallest", "fill"), [(0.05, 1), (0, 0.005), (0.3, 0.1), (0.01, 0), (0.99, 1)])
def test_pieces_and_holes_are_cleaned_up_as_one_by_one(mask: Pixels, smallest: float, fill: float) -> None:
    how = Segmentation(threshold=128, side="bright", smallest=smallest, fill=fill)
    np.testing.assert_array_equal(segment(how, mask), cleaned_piece_by_piece(mask, smallest, fill))


def seconds(work: Callable[[], object]) -> float:
    """Time of the processor for some work, the best of three."""
    times = []
    for _ in range(3):
        start = process_time()
        work()
        times.append(process_time() - start)
    return min(times)


def test_four_times_the_specks_cost_about_four_times_the_time() -> None:
    how = Segmentation(threshold=128, side="dark", fill=1, smallest=0.05)
    short, long = (specks(height, 512) for height in (256, 1024))
    assert seconds(lambda: segment(how, long)) < 7 * seconds(lambda: segment(how, short))


@pytest.mark.parametrize("sizes", [[(256, 96), (1024, 96)], [(96, 256), (96, 1024)]])
def test_four_times_the_length_costs_about_four_times_the_time(sizes: list[tuple[int, int]]) -> None:
    short, long = (woven(*size)[..., :1] for size in sizes)
    assert seconds(lambda: decide([long])) < 7 * seconds(lambda: decide([short]))


@pytest.mark.parametrize(
    ("size", "looked_at"),
    [
        ((300, 200), (300, 200)),
        ((768, 1024), (256, 341)),
        ((256, 1024), (256, 1024)),  # four times as long as wide: the shorter side alone decides
        ((4000, 64), (4000, 64)),
        ((2560, 1024), (640, 256)),
        ((200, 5000), (102, 2560)),
        ((8192, 256), (2896, 91)),
    ],
)
def test_long_strips_are_looked_at_on_a_smaller_copy(
    size: tuple[int, int], looked_at: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[int, ...]] = set()

    def watched(how: Segmentation, channel: Pixels) -> Pixels:
        seen.add(channel.shape)
        return channel

    monkeypatch.setattr(foreground_decision, "segment", watched)
    decide([np.zeros((*size, 1), np.uint8)])
    assert seen == {looked_at}


@pytest.mark.parametrize("size", [(200, 5000), (4000, 64), (256, 8192)])
def test_products_on_a_strip_are_found(size: tuple[int, int]) -> None:
    y, x = np.mgrid[: size[0], : size[1]]
    along, across = (x, y) if size[1] > size[0] else (y, x)
    short = min(size)
    discs = np.hypot(along % (2 * short) - short, across - short / 2) < 0.3 * short
    noise = np.random.default_rng(0).normal(0, 5, size)
    image = (np.where(discs, 200, 60) + noise).clip(0, 255).astype(np.uint8)[..., None]
    rule = decide([image])
    assert rule.segmentation is not None, rule.reason
    found = segment(rule.segmentation, image[..., 0]) > 0
    assert np.count_nonzero(found & discs) / np.count_nonzero(found | discs) > 0.85


@pytest.mark.parametrize(("channels", "rules"), [(3, 17), (1, 9)])
def test_the_decision_says_how_far_it_has_come(channels: int, rules: int) -> None:
    seen: list[tuple[int, int]] = []
    decide([woven(40, 60)[..., :channels]], lambda done, total: seen.append((done, total)))
    assert seen == [(number, rules) for number in range(1, rules + 1)]


def test_the_decision_can_be_stopped() -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decide([woven(40, 60)], stop)
