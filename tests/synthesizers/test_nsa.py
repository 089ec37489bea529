"""NSA: where Poisson blending puts a patch, the label of the real change, and the published sizes."""

from collections import Counter
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from synthgen.images.pixels import Pixels
from synthgen.scene import ProductType, Scene
from synthgen.streams import Stream
from synthgen.synthesizers.common.boxes import Box
from synthgen.synthesizers.nsa import Nsa, NsaParams, changed, clone_into
from tests.synthesizers.scenes import MemoryLibrary, cloudy, disc, frozen, place, unlike_halves

HEIGHT, WIDTH = 50, 61

# Odd and even sides, in the middle, at every border and corner, and as large as the image.
BOXES = [
    (20, 15, 12, 12),
    (20, 15, 13, 11),
    (21, 14, 12, 17),
    (21, 14, 17, 12),
    (0, 0, 14, 13),
    (WIDTH - 15, 0, 15, 12),
    (0, HEIGHT - 12, 13, 12),
    (WIDTH - 14, HEIGHT - 13, 14, 13),
    (0, 9, WIDTH, 22),
    (17, 0, 20, HEIGHT),
    (0, 0, WIDTH, HEIGHT),
    (1, 1, WIDTH - 2, HEIGHT - 2),
]

every_box = pytest.mark.parametrize("box", BOXES, ids=str)
both_clones = pytest.mark.parametrize("flag", [cv2.NORMAL_CLONE, cv2.MIXED_CLONE])


def box_of(numbers: tuple[int, int, int, int]) -> Box:
    return Box(left=numbers[0], top=numbers[1], width=numbers[2], height=numbers[3])


@pytest.mark.parametrize("channels", [1, 3])
@both_clones
@every_box
def test_an_images_own_patch_in_its_own_place_changes_nothing(
    box: tuple[int, int, int, int], flag: int, channels: int
) -> None:
    image, target = cloudy((HEIGHT, WIDTH, channels), 1, sigma=1.5), box_of(box)
    cloned = image.copy()
    clone_into(cloned, target.of(image).copy(), target, flag)
    assert np.abs(cloned.astype(int) - image).max() <= 1
    # It can fail: one pixel beside its place, the same patch changes much.
    beside = Box(
        left=min(target.left + 1, WIDTH - 1 - target.width),
        top=target.top,
        **target.model_dump(include={"width", "height"}),
    )
    if beside.left > target.left:
        clone_into(cloned, target.of(image).copy(), beside, flag)
        assert np.abs(cloned.astype(int) - image).max() > 15


@both_clones
@every_box
def test_a_spot_lands_where_it_belongs(box: tuple[int, int, int, int], flag: int) -> None:
    target = box_of(box)
    image, patch = (
        np.full((HEIGHT, WIDTH, 3), 90, np.uint8),
        np.full((target.height, target.width, 3), 90, np.uint8),
    )
    spot = target.height // 2, target.width // 2
    patch[spot] = 250
    clone_into(image, patch, target, flag)
    change = np.abs(image.astype(int) - 90).max(axis=2)
    found = np.unravel_index(change.argmax(), change.shape)
    # Mixed cloning takes of each gradient the stronger one, and spreads the spot over its neighbours.
    away = np.abs(np.subtract(found, (target.top + spot[0], target.left + spot[1]))).sum()
    assert away <= (0 if flag == cv2.NORMAL_CLONE else 1)
    assert change.max() > 30
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[target.top : target.top + target.height, target.left : target.left + target.width] = False
    assert not change[outside].any()


@both_clones
def test_the_outermost_pixels_of_the_image_stay(flag: int) -> None:
    image = cloudy((HEIGHT, WIDTH, 3), 2)
    cloned = image.copy()
    clone_into(cloned, cloudy((HEIGHT, WIDTH, 3), 3), Box(left=0, top=0, width=WIDTH, height=HEIGHT), flag)
    assert np.array_equal(cloned[[0, -1]], image[[0, -1]])
    assert np.array_equal(cloned[:, [0, -1]], image[:, [0, -1]])
    assert (cloned != image).mean() > 0.5


def test_a_constant_added_to_the_patch_makes_no_difference() -> None:
    """What Poisson blending is for: only the patch's gradients count."""
    image, patch, box = (
        cloudy((HEIGHT, WIDTH, 3), 2),
        cloudy((20, 24, 3), 5) // 2,
        Box(left=9, top=7, width=24, height=20),
    )
    dark, bright = image.copy(), image.copy()
    clone_into(dark, patch, box, cv2.NORMAL_CLONE)
    clone_into(bright, patch + np.uint8(100), box, cv2.NORMAL_CLONE)
    assert np.array_equal(dark, bright)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_label_is_the_change_without_specks(channels: int) -> None:
    from scipy.ndimage import median_filter

    before = cloudy((40, 50, channels), 1)
    generator = np.random.default_rng(0)
    change = generator.integers(-3, 4, before.shape)
    change[10:25, 5:30] += 3
    after = np.clip(before + change, 0, 255).astype(np.uint8)
    mean = np.abs(after.astype(int) - before).mean(axis=2)
    wanted = median_filter((mean > 1).astype(np.uint8), 5, mode="nearest") > 0
    assert np.array_equal(changed(before, after), wanted)
    assert 0 < wanted.sum() < wanted.size


@pytest.mark.parametrize(("change", "is_labelled"), [(1, False), (2, True)])
def test_a_grey_level_is_no_change(change: int, is_labelled: bool) -> None:
    before = np.full((20, 20, 3), 100, np.uint8)
    assert changed(before, before + np.uint8(change)).all() == is_labelled
    # Three levels in one channel are one in the mean, and four are more.
    after = before.copy()
    after[..., 1] += 2 + change
    assert changed(before, after).all() == is_labelled


@pytest.mark.parametrize("where", ["RGB texture 48x96", "grey object 96x48", "RGB object 64x64"])
def test_the_mask_is_the_label_of_the_blended_image(where: str) -> None:
    scene = place(where)[0]
    for index in range(10):
        params = Nsa().draw(stream(index), scene)
        (defect,) = Nsa.make([scene], [params], "cpu")
        height, width = defect.alpha.shape
        region = slice(defect.top, defect.top + height), slice(defect.left, defect.left + width)
        assert np.array_equal(defect.alpha > 0, changed(scene.image[region], defect.pixels))
        targets = np.zeros(scene.foreground.shape, bool)
        for patch in params.patches:
            patch.target.of(targets)[:] = True  # type: ignore[type-var]
        assert np.array_equal(defect.pixels[~targets[region]], scene.image[region][~targets[region]])


def scene_of(kind: ProductType, height: int, width: int) -> Scene:
    foreground = disc(height, width) if kind == "object" else np.full((height, width), 255, np.uint8)
    image, library = np.zeros((height, width, 1), np.uint8), MemoryLibrary()
    scenes = [
        Scene(str(number), kind, kind, frozen(image), frozen(foreground), library) for number in range(3)
    ]
    library.scenes.update({scene.sha256: scene for scene in scenes})
    return scenes[0]


def stream(index: int) -> Stream:
    return Stream(13, index, "test")


def drawn(kind: ProductType, count: int = 700, **fields: Any) -> list[NsaParams]:
    scene = scene_of(kind, 600, 1000)
    return [Nsa(**fields).draw(stream(index), scene) for index in range(count)]


def test_every_patch_after_the_first_has_probability_half() -> None:
    from scipy.stats import chisquare

    counts = Counter(len(params.patches) for params in drawn("texture"))
    assert (
        chisquare([counts[count] for count in (1, 2, 3, 4)], 700 * np.array([0.5, 0.25, 0.125, 0.125])).pvalue
        > 0.001
    )
    assert sum(counts.values()) == 700
    assert {len(params.patches) for params in drawn("texture", 50, max_patches=1)} == {1}


# The share of Gamma(2, 0.05) that is below 0.365, by its closed form.
BELOW = 1 - (1 + 0.365 / 0.05) * np.exp(-0.365 / 0.05)


def test_half_widths_are_gamma_distributed_within_their_bounds() -> None:
    from scipy.stats import gamma, kstest

    cuts = [patch.cut for params in drawn("texture") for patch in params.patches]
    for halves in (
        np.array([cut.width / 2000 for cut in cuts]),
        np.array([cut.height / 1200 for cut in cuts]),
    ):
        assert 0.0295 <= halves.min() <= 0.034
        assert halves.max() == pytest.approx(0.4, abs=0.001)
        below = halves[halves < 0.395] - 0.03
        assert kstest(below, lambda value: gamma.cdf(value, 2, scale=0.05) / BELOW).pvalue > 0.001
        assert len(below) / len(halves) == pytest.approx(BELOW, abs=0.01)


@pytest.mark.parametrize(
    ("product_type", "fields", "bounds"),
    [
        ("object", {}, (0.7, 1.3)),
        ("texture", {}, (0.5, 2.0)),
        ("texture", {"resize": (0.9, 1.1)}, (0.9, 1.1)),
    ],
)
def test_patches_are_resized_by_a_clipped_normal_factor(
    product_type: ProductType, fields: dict[str, Any], bounds: tuple[float, float]
) -> None:
    from scipy.stats import norm

    patches = [patch for params in drawn(product_type, 500, **fields) for patch in params.patches]
    # Those that the image's border does not make smaller.
    free = [
        patch
        for patch in patches
        if patch.cut.width <= 480 and patch.cut.height <= 280 and patch.cut.width > 60
    ]
    factors = np.array([patch.target.width / patch.cut.width for patch in free])
    low, high = bounds
    assert factors.min() == pytest.approx(low, abs=0.02)
    assert factors.max() == pytest.approx(high, abs=0.02)
    for bound, found in [(low, factors <= low + 0.01), (high, factors >= high - 0.01)]:
        wanted = norm.cdf(-abs(bound - 1) / 0.5)
        assert found.mean() == pytest.approx(wanted, abs=0.08)
    for patch, factor in zip(free, factors, strict=True):
        assert patch.target.height == pytest.approx(
            patch.cut.height * factor, abs=1.5 + 0.01 * patch.cut.height
        )


def test_objects_are_cloned_normal_and_textures_mixed() -> None:
    assert {params.clone for params in drawn("object", 20)} == {"normal"}
    assert {params.clone for params in drawn("texture", 20)} == {"mixed"}
    assert {params.clone for params in drawn("texture", 20, clone="normal")} == {"normal"}


def test_patches_lie_on_the_product_and_come_from_another_image() -> None:
    scene = scene_of("object", 600, 1000)
    for params in drawn("object", 100):
        assert params.patch_sha256 in {"1", "2"}
        assert params.needs() == {params.patch_sha256}
        for patch in params.patches:
            for box in (patch.cut, patch.target):
                on_foreground = box.of(scene.foreground)
                assert on_foreground.shape == (box.height, box.width)
                assert np.count_nonzero(on_foreground) >= 0.25 * on_foreground.size
    same = drawn("object", 20, patch_from="same")
    assert all(params.patch_sha256 == "" and params.needs() == set() for params in same)


def test_a_patch_is_cut_from_the_other_images_own_foreground() -> None:
    left, right = unlike_halves(64, 128)
    for index in range(60):
        for patch in Nsa(half_width=(0.03, 0.2), min_overlap=0.5).draw(stream(index), left).patches:
            assert (
                np.count_nonzero(patch.cut.of(right.foreground)) >= 0.5 * patch.cut.width * patch.cut.height
            )
            covered = np.count_nonzero(patch.target.of(left.foreground))
            assert covered >= 0.5 * patch.target.width * patch.target.height


def test_the_clone_follows_the_params() -> None:
    """Mixed cloning keeps the stronger gradient: under a flat patch the image's own, which normal removes."""
    scene = place("RGB texture 48x96")[0]
    flat: Pixels = np.full_like(scene.image, 128)
    library = MemoryLibrary(
        {"flat": Scene("flat", "texture", "texture", flat, scene.foreground, scene.library)}
    )
    on = Scene(scene.sha256, "texture", "texture", scene.image, scene.foreground, library)
    box = Box(left=20, top=10, width=30, height=25)
    blended = {
        clone: next(
            iter(
                Nsa.make(
                    [on],
                    [
                        NsaParams.model_validate(
                            {
                                "delta": 1,
                                "patch_sha256": "flat",
                                "clone": clone,
                                "patches": [{"cut": box, "target": box}],
                            }
                        )
                    ],
                    "cpu",
                )
            )
        ).pixels
        for clone in ("normal", "mixed")
    }
    inner = slice(7, -7), slice(7, -7)
    detail = {
        clone: np.abs(cv2.Laplacian(pixels, cv2.CV_32F)[inner]).mean() for clone, pixels in blended.items()
    }
    original = np.abs(cv2.Laplacian(box.of(scene.image).copy(), cv2.CV_32F)[inner]).mean()
    assert detail["normal"] < 0.1 * original
    assert detail["mixed"] > 0.9 * original


@pytest.mark.parametrize(
    "wrong",
    [{"max_patches": 0}, {"gamma": [-1, 0.05]}, {"gamma": [2, 0]}, {"half_width": [0.4, 0.1]}],
    ids=str,
)
def test_what_cannot_be_drawn_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Nsa(**wrong)
