"""The compositor and the judge against slow, obvious versions and against cases made by hand."""

import numpy as np
import pytest

from synthgen.defect import LAB_PIXELS, MIN_MASK_PIXELS, Composite, Defect, blend, composite, judge
from synthgen.images.pixels import Pixels
from synthgen.scene import Scene
from tests.synthesizers.scenes import MemoryLibrary, cloudy, disc, frozen


def scene(image: Pixels, foreground: Pixels | None = None) -> Scene:
    whole = np.full(image.shape[:2], 255, np.uint8)
    foreground = frozen(whole if foreground is None else foreground)
    return Scene("0" * 64, "test", "object", frozen(image), foreground, MemoryLibrary())


def flat(height: int, width: int, channels: int, level: int = 100) -> Pixels:
    return np.full((height, width, channels), level, np.uint8)


def test_blend_is_exact_for_every_pair_of_levels_and_every_alpha() -> None:
    levels = np.arange(256)
    anomaly, normal = (plane.reshape(256, 256, 1) for plane in np.meshgrid(levels, levels))
    for alpha in range(256):
        weighted = alpha * anomaly + (255 - alpha) * normal
        # Never half-way, because 255 is odd: rounding has one right answer.
        wanted = (2 * weighted + 255) // 510
        found = blend(anomaly.astype(np.uint8), normal.astype(np.uint8), np.full((256, 256), alpha, np.uint8))
        assert found.dtype == np.uint8
        assert np.array_equal(found, wanted)


@pytest.mark.parametrize("channels", [1, 3])
def test_blend_weighs_every_pixel_by_its_own_alpha(channels: int) -> None:
    generator = np.random.default_rng(0)
    anomaly, normal = generator.integers(0, 256, (2, 17, 29, channels), dtype=np.uint8)
    alpha = generator.integers(0, 256, (34, 29), dtype=np.uint8)[::2]
    found = blend(anomaly, normal, alpha)
    assert found.shape == anomaly.shape
    for row, column, channel in np.ndindex(found.shape):
        weight = int(alpha[row, column])
        total = weight * int(anomaly[row, column, channel]) + (255 - weight) * int(
            normal[row, column, channel]
        )
        assert found[row, column, channel] == round(total / 255)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("left", "top"), [(0, 0), (5, 3), (18, 20)])
def test_a_composite_is_clipped_and_changes_nothing_else(left: int, top: int, channels: int) -> None:
    image, foreground = cloudy((32, 40, channels), 1), disc(32, 40)
    generator = np.random.default_rng(left)
    pixels = generator.integers(0, 256, (12, 22, channels), dtype=np.uint8)
    alpha = generator.integers(0, 256, (12, 22), dtype=np.uint8) * generator.integers(
        0, 2, (12, 22), dtype=np.uint8
    )
    place = scene(image, foreground)
    result = composite(place, Defect(left, top, pixels, alpha))

    wanted, mask = image.copy(), np.zeros((32, 40), np.uint8)
    for row, column in np.argwhere(alpha):
        y, x, weight = top + row, left + column, int(alpha[row, column])
        if foreground[y, x]:
            mask[y, x] = 255
            both = weight * pixels[row, column].astype(int) + (255 - weight) * image[y, x].astype(int)
            wanted[y, x] = np.rint(both / 255)
    rows, columns = np.nonzero(mask)
    assert np.array_equal(result.image, wanted)
    assert np.array_equal(result.mask, mask)
    assert result.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert result.drawn_pixels == np.count_nonzero(alpha)
    assert np.array_equal(place.image, image)


def test_a_defect_off_the_foreground_leaves_the_image_alone() -> None:
    image = cloudy((32, 40, 3), 2)
    place = scene(image, disc(32, 40))
    result = composite(place, Defect(0, 0, flat(3, 4, 3, 255), np.full((3, 4), 255, np.uint8)))
    assert np.array_equal(result.image, image)
    assert not result.mask.any()
    assert result.drawn_pixels == 12
    left, top, right, bottom = result.box
    assert (right - left, bottom - top) == (0, 0)
    assert judge(result, 4, 0).reason == "empty mask"


def pasted(place: Scene, pixels: Pixels) -> Composite:
    """Pixels written over the upper left corner."""
    return composite(place, Defect(0, 0, pixels, np.full(pixels.shape[:2], 255, np.uint8)))


def test_a_speck_is_no_defect() -> None:
    place = scene(flat(20, 20, 1))
    too_small = judge(pasted(place, flat(1, MIN_MASK_PIXELS - 1, 1, 200)), 4, 0)
    large_enough = judge(pasted(place, flat(1, MIN_MASK_PIXELS, 1, 200)), 4, 0)
    assert (too_small.reason, too_small.area_pixels) == ("empty mask", MIN_MASK_PIXELS - 1)
    assert (large_enough.reason, large_enough.area_pixels) == ("", MIN_MASK_PIXELS)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("change", "reason"), [(4, ""), (-4, ""), (3, "no visible change")])
def test_a_change_must_be_visible(change: int, reason: str, channels: int) -> None:
    place = scene(flat(20, 20, channels))
    verdict = judge(pasted(place, flat(5, 5, channels, 100 + change)), 4, 0)
    assert (verdict.reason, verdict.contrast) == (reason, abs(change))
    assert judge(pasted(place, flat(5, 5, channels, 100 + change)), 3, 0).reason == ""


def test_the_least_contrast_can_be_switched_off() -> None:
    place = scene(flat(20, 20, 3))
    unchanged = pasted(place, flat(5, 5, 3))
    assert judge(unchanged, 2, 0).reason == "no visible change"
    assert judge(unchanged, 0, 0).reason == ""


def test_one_changed_channel_is_visible() -> None:
    place = scene(flat(20, 20, 3))
    pixels = flat(4, 4, 3)
    pixels[..., 2] = 106
    verdict = judge(pasted(place, pixels), 4, 0)
    assert (verdict.reason, verdict.contrast, verdict.contrast_mean) == ("", 6.0, 2.0)


@pytest.mark.parametrize(("columns", "reason"), [(5, ""), (4, "too little on the foreground")])
def test_enough_must_lie_on_the_foreground(columns: int, reason: str) -> None:
    foreground = np.zeros((20, 20), np.uint8)
    foreground[:, :columns] = 255
    place = scene(flat(20, 20, 1), foreground)
    verdict = judge(pasted(place, flat(10, 10, 1, 200)), 4, 0.5)
    assert (verdict.reason, verdict.foreground_overlap) == (reason, columns / 10)
    assert judge(pasted(place, flat(10, 10, 1, 200)), 4, 0.4).reason == ""


@pytest.mark.parametrize("channels", [1, 3])
def test_the_verdict_measures_only_inside_the_mask(channels: int) -> None:
    from skimage.color import deltaE_cie76, rgb2lab

    image = cloudy((24, 36, channels), 3)
    place = scene(image, disc(24, 36))
    generator = np.random.default_rng(4)
    pixels = generator.integers(0, 256, (15, 20, channels), dtype=np.uint8)
    alpha = (generator.random((15, 20)) < 0.4).astype(np.uint8) * 200
    result = composite(place, Defect(9, 4, pixels, alpha))
    verdict = judge(result, 4, 0)

    lab = [rgb2lab(np.broadcast_to(picture, (24, 36, 3))) for picture in (image, result.image)]
    changes, largest, colour = [], [], []
    for y, x in np.argwhere(result.mask):
        change = [abs(int(a) - int(b)) for a, b in zip(result.image[y, x], image[y, x], strict=True)]
        changes += change
        largest.append(max(change))
        colour.append(deltaE_cie76(lab[0][y, x], lab[1][y, x]))
    assert verdict.area_pixels == len(largest)
    assert verdict.contrast == round(float(np.mean(largest)), 4)
    assert verdict.contrast_mean == round(float(np.mean(changes)), 4)
    assert verdict.contrast_lab == pytest.approx(np.mean(colour), abs=0.02)
    assert verdict.foreground_overlap == round(len(largest) / np.count_nonzero(alpha), 6)


def test_of_a_large_mask_the_colour_difference_is_that_of_a_regular_sample() -> None:
    from skimage.color import deltaE_cie76, rgb2lab

    image, pixels = cloudy((90, 100, 3), 3), cloudy((80, 90, 3), 4)
    place = scene(image)
    result = composite(place, Defect(5, 5, pixels, np.full((80, 90), 255, np.uint8)))
    verdict = judge(result, 4, 0)
    everywhere = deltaE_cie76(rgb2lab(image), rgb2lab(result.image))[result.mask > 0]
    assert verdict.area_pixels == 7200 > 3 * LAB_PIXELS
    assert verdict.contrast_lab == pytest.approx(everywhere[:: -(-7200 // LAB_PIXELS)].mean(), abs=0.01)
    assert verdict.contrast_lab == pytest.approx(everywhere.mean(), rel=0.03)
    # All other numbers are of every pixel.
    change = np.abs(result.image.astype(int) - image)[result.mask > 0]
    assert verdict.contrast == round(float(change.max(axis=1).mean()), 4)
    assert verdict.contrast_mean == round(float(change.mean()), 4)
