"""Which values of 16-bit images become 0 … 255: by products and cameras whose range is known."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from synthgen.images.depth import DepthRange, Levels, depth_range, levels

SIDE = 64
Deep = npt.NDArray[np.uint16]


def disc(seed: int) -> Deep:
    """A bright disc before a dark ground by a camera of 12 bits: its ground is about 320, the disc 2400."""
    stream = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    product = 2400 + 480 * np.sin(x / 3 + seed) + stream.normal(0, 128, (SIDE, SIDE))
    ground = 320 + stream.normal(0, 48, (SIDE, SIDE))
    return np.where(x**2 + y**2 < 400, product, ground).clip(0, 4095).astype(np.uint16)[..., None]


def found(images: Sequence[Deep]) -> DepthRange:
    result = depth_range([levels(image) for image in images])
    assert result
    return result


def clipped(images: Sequence[Deep], depth: DepthRange) -> float:
    """The share of the pixels that lie beyond the range."""
    low, high = depth.range
    return float(np.mean([(image < low) | (image > high) for image in images]))


def one_hot_pixel(images: list[Deep]) -> None:
    images[0][5, 5] = 65535


def one_dead_pixel(images: list[Deep]) -> None:
    images[3][32, 32] = 0


def hundreds_in_one_image(images: list[Deep]) -> None:
    places = np.random.default_rng(1).permutation(SIDE * SIDE)[:300]
    images[2].ravel()[places] = 65535


def thirty_in_every_image(images: list[Deep]) -> None:
    for number, image in enumerate(images):
        image.ravel()[np.random.default_rng(number).permutation(SIDE * SIDE)[:30]] = 65535


def the_same_place_in_every_image(images: list[Deep]) -> None:
    for image in images:
        image[5, 5] = image[40, 9] = 65535


def one_saturated_image(images: list[Deep]) -> None:
    images[7][:] = 65535


def one_image_without_light(images: list[Deep]) -> None:
    images[7][:] = 0


def a_large_glint_in_one_image(images: list[Deep]) -> None:
    images[4][10:20, 10:20] = 65535


@pytest.mark.parametrize(
    "disturb",
    [
        one_hot_pixel,
        one_dead_pixel,
        hundreds_in_one_image,
        thirty_in_every_image,
        the_same_place_in_every_image,
        one_saturated_image,
        one_image_without_light,
        a_large_glint_in_one_image,
    ],
)
def test_what_is_no_product_does_not_move_the_range(disturb: Callable[[list[Deep]], None]) -> None:
    images = [disc(seed) for seed in range(10)]
    clean = found(images)
    disturb(images)
    disturbed = found(images)
    span = clean.range[1] - clean.range[0]
    # A margin of a tenth, of which the clean images do not need all.
    assert np.abs(np.subtract(disturbed.range, clean.range)).max() <= span / 10
    assert (disturbed.darkest, disturbed.brightest) == (
        min(i.min() for i in images),
        max(i.max() for i in images),
    )


def test_of_clean_images_next_to_nothing_is_clipped() -> None:
    images = [disc(seed) for seed in range(10)]
    depth = found(images)
    assert clipped(images, depth) < 0.0005
    assert depth.darkest == depth.range[0]


def test_nothing_of_images_without_noise_is_clipped() -> None:
    ramps = [np.linspace(1000 + n, 5000 - n, SIDE * SIDE).reshape(SIDE, SIDE, 1) for n in range(10)]
    depth = found([ramp.astype(np.uint16) for ramp in ramps])
    assert depth.range == (1000, 5000)
    assert (depth.images, depth.clipped) == (10, 0)
    assert str(depth) == f"{depth.darkest} … {depth.brightest} becomes 0 … 255 in 10 images"


def test_the_number_of_clipped_images_is_told() -> None:
    images = [disc(seed) for seed in range(10)]
    images[1][5, 5] = images[2][9, 9] = 60_000
    depth = found(images)
    low, high = depth.range
    assert depth.clipped == sum(bool((image < low).any() or (image > high).any()) for image in images) >= 2
    assert f"clipped, in {depth.clipped} of them (the extremes are" in str(depth)
    assert str(depth).endswith(f"and {60_000})")


@pytest.mark.parametrize("side", [3, 6, 40])
def test_a_small_bright_product_on_dark_ground_is_kept_whole(side: int) -> None:
    """Down to 9 of 65,536 pixels: what a percentile of the pixels alone would clip."""
    images = []
    for seed in range(6):
        image = np.random.default_rng(seed).integers(900, 1000, (256, 256, 1)).astype(np.uint16)
        image[100 : 100 + side, 30 * seed : 30 * seed + side] = 4000
        images.append(image)
    assert found(images).range == (900, 4000)


def test_a_thin_line_on_dark_ground_is_kept() -> None:
    images = [np.full((SIDE, SIDE, 1), 1000, np.uint16) for _ in range(5)]
    for image in images:
        image[20] = 4000
    assert found(images).range == (1000, 4000)


def test_a_texture_that_is_all_noise_loses_little() -> None:
    streams = [np.random.default_rng(seed) for seed in range(5)]
    images = [np.rint(stream.normal(2000, 100, (256, 256, 1))).astype(np.uint16) for stream in streams]
    assert clipped(images, found(images)) < 0.01


@pytest.mark.parametrize("values", [[0, 4095], [16, 32, 48], [1000, 1001], [7], [65535], [0, 65535]])
def test_few_levels_are_kept(values: list[int]) -> None:
    images = [
        np.random.default_rng(seed).choice(values, (SIDE, SIDE, 1)).astype(np.uint16) for seed in range(4)
    ]
    assert found(images).range == (min(values), max(values))


def test_the_left_aligned_values_of_a_camera_of_12_bits_are_scaled_alike() -> None:
    images = [disc(seed) for seed in range(5)]
    low, high = found(images).range
    assert found([image * 16 for image in images]).range == (16 * low, 16 * high)


def test_images_of_several_exposures_are_all_kept() -> None:
    """Not half of them, as a median over the images would."""
    images = [disc(seed) // (4 if seed < 12 else 1) for seed in range(20)]
    assert clipped(images, found(images)) < 0.001


def test_of_two_images_none_is_odd() -> None:
    bright, dark = disc(0), disc(1) // 8
    assert found([bright, dark]).range == (dark.min(), bright.max())


def test_the_order_of_the_images_does_not_matter() -> None:
    images = [disc(seed) for seed in range(9)]
    one_saturated_image(images)
    assert found(images) == found(images[::-1])


def test_channels_have_one_range() -> None:
    images = [np.dstack([disc(seed), disc(seed) // 2, disc(seed) // 4]) for seed in range(4)]
    depth = found(images)
    assert clipped(images, depth) < 0.001
    assert depth.range[1] > 2 * found([image[..., 1:] for image in images]).range[1] - 100


def test_counts_are_exact_beyond_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    image = disc(3)
    whole = levels(image)
    monkeypatch.setattr("synthgen.images.depth.BLOCK", 1000)
    assert levels(image) == whole == Levels(int(image.min()), whole.low, whole.high, int(image.max()))  # type: ignore[union-attr]


def test_images_of_8_bits_have_no_range_and_no_part_in_it() -> None:
    assert levels(np.zeros((SIDE, SIDE, 3), np.uint8)) is None
    assert depth_range([]) is None
    assert depth_range([None, None]) is None
    deep = levels(disc(0))
    mixed = depth_range([None, deep, None])
    assert mixed == depth_range([deep])
    assert mixed is not None
    assert mixed.images == 1


def test_a_chosen_range_is_taken_as_it_is() -> None:
    depth = depth_range([levels(disc(0))], (1000, 2000))
    assert depth is not None
    assert (depth.range, depth.clipped) == ((1000, 2000), 1)
