"""The foreground against drawn shapes, hand-made outlines and fitted circles, none of which it knows."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from synthgen.errors import InputError
from synthgen.regions.background import border_likeness, flattened
from synthgen.regions.foreground import (
    ForegroundChoice,
    ForegroundRule,
    MaskFolder,
    PublishedForeground,
    Segmentation,
    apply,
    decide,
    resolve,
)
from synthgen.regions.mask_folder import pair_masks
from tests.regions.pictures import (
    SHAPES,
    Pixels,
    bottle_circle,
    bottles,
    built_in,
    drawn,
    outlined,
    overlap,
    quarters,
    read,
    shape,
    tiles,
)

LEVELS = {"dark on bright": (60, 200), "bright on dark": (200, 60), "faint": (120, 160)}


def assert_finds(rule: ForegroundRule, images: list[Pixels], masks: list[np.ndarray], least: float) -> None:
    assert rule.product_type == "object", rule.reason
    for image, mask in zip(images, masks, strict=True):
        found = apply(rule, image)
        assert overlap(found, mask) >= least, rule.reason
        beyond = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
        assert not (found > 0)[beyond].any(), rule.reason


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("levels", LEVELS.values(), ids=LEVELS.keys())
@pytest.mark.parametrize("slope", [0, 0.3], ids=["even light", "sloping light"])
def test_drawn_products_are_found(name: str, levels: tuple[int, int], slope: float) -> None:
    masks = [shape(name, index) for index in range(6)]
    slope *= abs(levels[0] - levels[1])
    images = [drawn(mask, index, levels, slope=slope) for index, mask in enumerate(masks)]
    assert_finds(decide(images), images, masks, 0.9)


@pytest.mark.parametrize("size", [(256, 400), (180, 96), (600, 512)])
def test_any_size(size: tuple[int, int]) -> None:
    masks = [shape("disc", index, size) for index in range(4)]
    images = [drawn(mask, index) for index, mask in enumerate(masks)]
    assert_finds(decide(images), images, masks, 0.9)


def test_one_image_is_enough() -> None:
    mask = shape("disc", 3)
    assert_finds(decide([drawn(mask, 0)]), [drawn(mask, 0)], [mask], 0.93)


def test_product_that_leaves_at_one_side_is_told_by_the_even_background() -> None:
    masks = [shape("side", index) for index in range(6)]
    images = [drawn(mask, index, noise=(14, 3)) for index, mask in enumerate(masks)]
    assert_finds(decide(images), images, masks, 0.9)


@pytest.mark.parametrize("slope", [0, 60])
def test_halves_that_nothing_tells_apart_are_all_foreground(slope: float) -> None:
    images = [drawn(shape("side", index + 3), index, noise=(8, 8), slope=slope) for index in range(3)]
    rule = decide(images)
    assert rule.product_type == "texture"
    assert apply(rule, images[0]).all()


def test_product_of_the_brightness_of_its_background() -> None:
    masks = [shape("disc", index) for index in range(4)]
    red, green = np.array([170, 80, 80]), np.array([80, 133, 80])
    images = [
        np.where(mask[..., None], red, green).astype(np.uint8) + drawn(mask, index, (10, 10))
        for index, mask in enumerate(masks)
    ]
    assert_finds(decide(images), images, masks, 0.93)


def test_product_that_is_both_darker_and_brighter_than_its_background() -> None:
    masks = [shape("disc", index + 1) for index in range(4)]
    bright = np.mgrid[:256, :256][1] > 128
    images = [
        np.where(bright[..., None], drawn(mask, index, (220, 130)), drawn(mask, index, (40, 130)))
        for index, mask in enumerate(masks)
    ]
    assert_finds(decide(images), images, masks, 0.85)


def test_background_in_a_ring_is_no_foreground() -> None:
    masks = [shape("ring", index) for index in range(4)]
    images = [drawn(mask, index) for index, mask in enumerate(masks)]
    assert_finds(decide(images), images, masks, 0.88)


def test_bright_parts_inside_a_dark_product_are_foreground() -> None:
    masks = [shape("disc", index) for index in range(4)]
    images = []
    for index, mask in enumerate(masks):
        image = drawn(mask, index)
        image[np.hypot(*(np.mgrid[:256, :256] - 125)) < 30] = 150
        images.append(image)
    assert_finds(decide(images), images, masks, 0.93)


def test_thin_parts_are_not_opened_away() -> None:
    rows, columns = np.mgrid[:256, :256]
    arms = [(np.abs(rows - 128 - 5 * index) < 3) & (columns > 120) & (columns < 220) for index in range(4)]
    bodies = [np.hypot(rows - 128, columns - 90) < 40] * 4
    images = [drawn(arm | body, index) for index, (arm, body) in enumerate(zip(arms, bodies, strict=True))]
    rule = decide(images)
    for image, arm, body in zip(images, arms, bodies, strict=True):
        found = apply(rule, image) > 0
        assert found[arm & ~body].mean() > 0.5
        assert found[body].mean() > 0.9


@pytest.mark.parametrize("slope", [0, 80])
def test_product_that_fills_the_frame(slope: float) -> None:
    images = [drawn(np.ones((256, 256), bool), index, slope=slope) for index in range(4)]
    assert decide(images).product_type == "texture"


@pytest.mark.parametrize("file", ["brick.png", "grass.png", "gravel.png", "ihc.png"])
def test_built_in_textures(file: str) -> None:
    assert decide([built_in(file)]).product_type == "texture"
    assert decide(quarters(built_in(file, None))).product_type == "texture"


@pytest.mark.parametrize("file", ["moon.png", "rocket.jpg", "hubble_deep_field.jpg"])
def test_spots_without_a_sharp_outline_are_no_product(file: str) -> None:
    assert decide([built_in(file)]).product_type == "texture"


def test_patterns_are_textures() -> None:
    rows, columns = np.mgrid[:256, :256]
    generator = np.random.default_rng(0)
    spots = np.zeros((256, 256), np.uint8)
    for x, y in generator.integers(0, 256, (60, 2)):
        cv2.circle(spots, (int(x), int(y)), 9, 1, -1)
    for mask in (columns % 32 < 16, (columns // 32 + rows // 32) % 2 == 0, spots > 0):
        assert decide([drawn(mask, 0)]).product_type == "texture"


@pytest.mark.parametrize("name", ["coins", "coffee", "cell"])
@pytest.mark.parametrize("as_colour", [False, True])
def test_hand_made_outlines(name: str, as_colour: bool) -> None:
    image, mask = outlined(name)
    if as_colour and image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    rule = decide([image])
    found = apply(rule, image) > 0
    assert rule.product_type == "object"
    assert overlap(found, mask) >= 0.8
    assert np.count_nonzero(found & ~mask) <= 0.03 * np.count_nonzero(found)


def test_every_coin_is_found() -> None:
    image, mask = outlined("coins")
    found = apply(decide([image]), image) > 0
    count, labels = cv2.connectedComponents(mask.astype(np.uint8))
    assert count - 1 == 24
    assert all(found[labels == label].mean() > 0.7 for label in range(1, count))


def test_cat_that_nearly_fills_an_uneven_picture_is_all_foreground() -> None:
    image, mask = outlined("cat")
    rule = decide([image])
    assert rule.product_type == "texture"
    assert overlap(apply(rule, image), mask) > 0.7


@pytest.mark.needs_data
def test_bottles_lie_inside_their_circles(data: Path) -> None:
    images = bottles(data)
    rule = decide(images[:: len(images) // 16])
    rows, columns = np.mgrid[:256, :256]
    for image in images:
        x, y, radius = bottle_circle(image)
        distance = np.hypot(columns - x, rows - y)
        found = apply(rule, image) > 0
        assert distance[found].max() <= radius + 0.5
        assert overlap(found, distance <= radius) >= 0.95


@pytest.mark.needs_data
@pytest.mark.parametrize("size", [None, (256, 256)])
def test_magnetic_tiles_are_textures(data: Path, size: tuple[int, int] | None) -> None:
    assert decide(tiles(data, size)).product_type == "texture"


@pytest.mark.slow
@pytest.mark.needs_data
def test_describable_textures_are_textures(data: Path) -> None:
    for folder in sorted((data / "data/dtd/images").iterdir()):
        images = [read(path) for path in sorted(folder.iterdir())[:5]]
        images = [image if image.shape[2] == 3 else np.repeat(image, 3, axis=2) for image in images]
        assert decide(images).product_type == "texture", folder.name


def test_lengths_scale_with_the_image() -> None:
    how = Segmentation(threshold=128, side="bright", close=6, open=6, fill=1, smallest=0.1, shrink=2)
    rule = ForegroundRule(product_type="object", segmentation=how)
    small = drawn(shape("triangle", 5), 0, (220, 20), noise=(0, 0))
    large = cv2.resize(small, (1024, 1024), interpolation=cv2.INTER_NEAREST)[..., None]
    expected = cv2.resize(apply(rule, small), (1024, 1024), interpolation=cv2.INTER_NEAREST)
    assert overlap(apply(rule, large), expected) > 0.98


def test_published_rule_equals_scikit_image() -> None:
    from skimage.filters import threshold_otsu
    from skimage.morphology import closing, footprint_rectangle, opening

    image = drawn(shape("discs", 2), 0, noise=(40, 40))
    dark = (image[..., 0] <= threshold_otsu(image[..., 0])).astype(np.uint8)
    square = footprint_rectangle((7, 7))
    expected = opening(closing(dark, square), square) * 255
    how = Segmentation(threshold="otsu", side="dark", close=7, open=7)
    found = apply(ForegroundRule(product_type="object", segmentation=how), image)
    inside = (slice(14, -14), slice(14, -14))
    np.testing.assert_array_equal(found[inside], expected[inside])


@pytest.mark.parametrize("side", [3, 6])
def test_squares_of_even_side_do_not_shift_the_mask(side: int) -> None:
    image = drawn(shape("discs", 2), 0, noise=(60, 60))
    raw, closed, opened = (
        apply(ForegroundRule(product_type="object", segmentation=Segmentation(side="dark", **lengths)), image)
        > 0
        for lengths in ({}, {"close": side}, {"open": side})
    )
    assert (closed | raw == closed).all() and (closed != raw).any()
    assert (opened & raw == opened).all() and (opened != raw).any()


def test_holes_and_small_pieces() -> None:
    image = np.zeros((256, 256, 1), np.uint8)
    image[20:120, 20:120] = 255
    image[60:64, 60:64] = 0  # a small hole
    image[80:110, 80:110] = 0  # a large hole
    image[200:205, 200:205] = 255  # a small piece
    how = Segmentation(threshold=128, side="bright", fill=0.01, smallest=0.01)
    expected = image[..., 0].copy()
    expected[60:64, 60:64] = 255
    expected[200:205, 200:205] = 0
    np.testing.assert_array_equal(
        apply(ForegroundRule(product_type="object", segmentation=how), image), expected
    )


def test_flattened_is_half_the_distance_from_a_quadratic_light() -> None:
    rows, columns = np.mgrid[:256, :256] / 128 - 1
    light = 120 + 30 * rows - 20 * columns + 15 * rows * columns - 10 * rows * rows
    product = np.hypot(rows, columns) < 0.5
    found = flattened(np.rint(light + 60 * product).astype(np.uint8)).astype(int)
    edge = cv2.morphologyEx(product.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    assert np.abs(found - np.where(product, 158, 128))[~edge].max() <= 1


def test_border_likeness_is_the_colours_share_on_the_border() -> None:
    product = shape("disc", 3)
    image = np.where(product[..., None], (200, 40, 40), (40, 40, 200)).astype(np.uint8)
    ratio = 1 / (1 - product.mean())
    likeness = border_likeness(image)
    assert likeness[product].max() <= 2
    assert np.abs(likeness[~product] - 255.0 * ratio / (1 + ratio)).max() <= 2


class Field(BaseModel):
    foreground: ForegroundChoice = "auto"


@pytest.mark.parametrize(
    "value",
    ["auto", "all", {"side": "dark", "close": 6}, {"published": "mvtec"}, {"masks": "masks"}],
)
def test_choices_survive_json(value: object) -> None:
    field = Field.model_validate({"foreground": value})
    text = field.model_dump_json()
    assert Field.model_validate_json(text) == field
    assert Field.model_validate_json(text).model_dump_json() == text


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("automatic", ()),
        (7, ()),
        ({"published": "mvtec", "side": "dark"}, ("side",)),
        ({"side": "left"}, ("side",)),
        ({"side": "dark", "chanel": "grey"}, ("chanel",)),
        ({"side": "dark", "close": -1}, ("close",)),
    ],
)
def test_a_wrong_choice_is_one_error_at_its_place(value: object, place: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        Field.model_validate({"foreground": value})
    (error,) = caught.value.errors()
    assert error["loc"][2:] == place


def test_rules_survive_json() -> None:
    rule = decide([drawn(shape("disc", 3), 0)])
    assert ForegroundRule.model_validate_json(rule.model_dump_json()) == rule


PUBLISHED = {
    ("mvtec", "bottle"): Segmentation(threshold="otsu", side="dark", close=6, open=6),
    ("mvtec", "hazelnut"): Segmentation(threshold="triangle", side="bright", close=6, open=6),
    ("mvtec", "carpet"): None,
    ("visa", "pcb3"): Segmentation(channel="blue", threshold="triangle", side="bright", close=8, open=3),
    ("visa", "capsules"): None,
    ("visa", "cashew"): Segmentation(threshold="otsu", side="bright", close=3, open=3),
    ("mpdd", "connector"): Segmentation(channel="green", threshold="otsu", side="dark", close=6),
    ("mpdd", "tubes"): Segmentation(channel="blue", threshold="otsu", side="bright", close=6),
    ("btad", "01"): Segmentation(threshold="otsu", side="bright", close=15, open=6),
    ("btad", "02"): None,
}


@pytest.mark.parametrize(("dataset", "category"), PUBLISHED)
def test_published_rules(dataset: str, category: str) -> None:
    rule = resolve(PublishedForeground(published=dataset), category, [])
    assert rule.segmentation == PUBLISHED[dataset, category]
    assert rule.product_type == ("object" if rule.segmentation else "texture")


def test_unpublished_rules_name_those_there_are() -> None:
    with pytest.raises(InputError, match=r"'nut'.* bottle, cable, .*zipper"):
        resolve(PublishedForeground(published="mvtec"), "nut", [])
    with pytest.raises(InputError, match=r"'acme'.* btad, mpdd, mvtec, visa"):
        resolve(PublishedForeground(published="acme"), "nut", [])


def test_resolve_the_other_choices() -> None:
    image = drawn(shape("disc", 3), 0)
    own = Segmentation(side="dark")
    assert resolve("auto", "x", [image]) == decide([image])
    assert apply(resolve("all", "x", [image]), image).all()
    assert resolve(own, "x", []).segmentation == own
    assert resolve(MaskFolder(masks="masks"), "x", []).product_type == "object"


def test_masks_are_paired_by_path_then_by_name(tmp_path: Path) -> None:
    for path in ("a/1.png", "b/1.png", "b/2_mask.png", "only.png"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    images = ["a/1.jpg", "b/1.jpg", "b/2.jpg", "c/only.bmp"]
    masks = ["a/1.png", "b/1.png", "b/2_mask.png", "only.png"]
    assert pair_masks(str(tmp_path), images) == dict(zip(images, masks, strict=True))
    with pytest.raises(InputError, match=r"no mask for the image a/9\.jpg"):
        pair_masks(str(tmp_path), ["a/9.jpg"])
    with pytest.raises(InputError, match=r"2 masks \(a/1\.png, b/1\.png\) for the image c/1\.jpg"):
        pair_masks(str(tmp_path), ["c/1.jpg"])
