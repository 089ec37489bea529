"""Freezing: what is pinned, what is refused, and what the fingerprint stands for."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import synthgen
from synthgen.errors import InputError
from synthgen.images.depth import DepthRange
from synthgen.images.pixels import Pixels
from synthgen.pipeline.image_store import prepare_texture
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe
from tests import twelve_bits
from tests.recipes import small_recipe


def write_images(folder: Path, count: int, shape: tuple[int, ...] = (40, 50, 3)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number:02d}.png"), noise)


def folder_recipe(folder: Path, **fields: object) -> Recipe:
    return small_recipe(source={"kind": "folder", "path": str(folder)}, **fields)


def test_a_plan_survives_json() -> None:
    plan = synthgen.freeze(small_recipe())
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize(
    "changed",
    [{"count": 99}, {"output": {"image_format": "jpg", "shard_size": 3}}, {"on_bad_image": "fail"}],
)
def test_the_fingerprint_does_not_depend_on_count_and_output(changed: dict[str, object]) -> None:
    assert synthgen.freeze(small_recipe(**changed)).fingerprint == synthgen.freeze(small_recipe()).fingerprint


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 4},
        {"size": [64, 65]},
        {"normal_share": 0.26},
        {"judge": {"min_contrast": 5}},
        {"attempts": 49},
        {"resize": "crop"},
        {"foreground": "all"},
        {"split": "all"},
        {"synthesizers": [{"method": "scar"}]},
        {"source": {"kind": "builtin", "categories": ["brick"]}},
    ],
)
def test_the_fingerprint_depends_on_all_that_decides_the_samples(changed: dict[str, object]) -> None:
    assert synthgen.freeze(small_recipe(**changed)).fingerprint != synthgen.freeze(small_recipe()).fingerprint


def test_the_fingerprint_stays_when_the_files_move_and_changes_with_a_pixel(tmp_path: Path) -> None:
    for place in ("here", "there", "changed"):
        write_images(tmp_path / place / "good", 5)
        write_images(tmp_path / place / "textures", 2)
    cv2.imwrite(str(tmp_path / "changed/good/03.png"), np.zeros((40, 50, 3), np.uint8))

    def fingerprint(place: str) -> str:
        textures = {"method": "perlin-texture", "textures": str(tmp_path / place / "textures")}
        return synthgen.freeze(folder_recipe(tmp_path / place / "good", synthesizers=[textures])).fingerprint

    assert fingerprint("here") == fingerprint("there")
    assert fingerprint("here") != fingerprint("changed")


def test_the_split_is_fixed_by_the_content_and_not_by_names(tmp_path: Path) -> None:
    write_images(tmp_path / "a", 20)
    write_images(tmp_path / "b", 20)
    for file in sorted((tmp_path / "b").iterdir()):
        file.rename(file.with_name(f"{99 - int(file.stem)}.png"))
    halves = [synthgen.freeze(folder_recipe(tmp_path / name)) for name in "ab"]
    held_out = [{image.sha256 for image in plan.images if image.split == "held-out"} for plan in halves]
    assert held_out[0] == held_out[1]
    assert len(held_out[0]) == 4


def test_copies_of_an_image_stand_on_one_side_of_the_split(tmp_path: Path) -> None:
    write_images(tmp_path / "good", 6)
    for file in sorted((tmp_path / "good").iterdir()):
        file.with_name(f"copy-{file.name}").write_bytes(file.read_bytes())
    sides: dict[str, set[str]] = {}
    for image in synthgen.freeze(folder_recipe(tmp_path / "good")).images:
        sides.setdefault(image.sha256, set()).add(image.split)
    assert all(len(side) == 1 for side in sides.values())


def test_a_bad_image_is_skipped_and_recorded_or_stops_the_run(tmp_path: Path) -> None:
    write_images(tmp_path / "good", 4)
    (tmp_path / "good/bad.png").write_text("not an image")
    plan = synthgen.freeze(folder_recipe(tmp_path / "good"))
    assert [file.path for file in plan.rejected] == ["bad.png"]
    assert len(plan.images) == 4
    with pytest.raises(InputError, match=r"bad\.png: .*on_bad_image: skip"):
        synthgen.freeze(folder_recipe(tmp_path / "good", on_bad_image="fail"))


def test_only_bad_images_are_an_error_that_names_the_first(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("not an image")
    with pytest.raises(InputError, match=r"none of the 1 images .* bad\.png: "):
        synthgen.freeze(folder_recipe(tmp_path))


def test_larger_images_are_read_where_the_source_says_so(tmp_path: Path) -> None:
    """With foreground masks of the same size; and what is verified and trained on reads as much."""
    write_images(tmp_path / "good", 2, (1001, 1000))
    (tmp_path / "masks").mkdir()
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"masks/{number:02d}.png"), np.full((1001, 1000), 255, np.uint8))
    masks = {"masks": str(tmp_path / "masks")}
    source = {"kind": "folder", "path": str(tmp_path / "good")}
    with pytest.raises(
        InputError,
        match=r"1000 x 1001 pixels \(1 megapixels\); at most 1 are read: make it sm"
        r"aller, or set source\.max_megapixels: 2 in the recipe$",
    ):
        synthgen.freeze(small_recipe(source=source | {"max_megapixels": 1}, foreground=masks))
    wanted = small_recipe(source=source | {"max_megapixels": 2}, foreground=masks)
    plan = synthgen.freeze(wanted)
    assert len(plan.images) == 2
    assert plan.fingerprint == synthgen.freeze(small_recipe(source=source, foreground=masks)).fingerprint
    assert Pipeline(plan).sample(1).image.shape == (64, 64, 1)


def test_samples_of_long_strips(tmp_path: Path) -> None:
    write_images(tmp_path, 2, (20, 17_000))
    plan = synthgen.freeze(folder_recipe(tmp_path, size="native", foreground="all"))
    assert {sample.image.shape for sample in Pipeline(plan).samples(range(10))} == {(20, 17_000, 1)}
    with pytest.raises(
        InputError, match=r"17000 x 20 pixels cannot be written as webp, which holds 16383 a sid"
    ):
        synthgen.freeze(
            folder_recipe(tmp_path, size="native", foreground="all", output={"image_format": "webp"})
        )
    cv2.imwrite(str(tmp_path / "00.png"), np.zeros((20, 33_000), np.uint8))
    cv2.imwrite(str(tmp_path / "01.png"), np.zeros((20, 33_000), np.uint8))
    with pytest.raises(InputError, match=r"33000 x 20 pixels, and a sample has 16 to 32752 a side; set size"):
        synthgen.freeze(folder_recipe(tmp_path, size="native", foreground="all"))


def test_native_size_needs_one_size(tmp_path: Path) -> None:
    write_images(tmp_path, 3)
    assert synthgen.freeze(folder_recipe(tmp_path, size="native")).preparation.size == (40, 50)
    cv2.imwrite(str(tmp_path / "large.png"), np.zeros((60, 50), np.uint8))
    with pytest.raises(InputError, match=r"2 sizes \(50 x 40, 50 x 60\); set size"):
        synthgen.freeze(folder_recipe(tmp_path, size="native"))


def test_an_image_smaller_than_the_crop_is_left_out(tmp_path: Path) -> None:
    write_images(tmp_path, 3, (80, 80, 3))
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((63, 200), np.uint8))
    plan = synthgen.freeze(folder_recipe(tmp_path, resize="crop"))
    assert [file.path for file in plan.rejected] == ["small.png"]
    assert "200 x 63 pixels, smaller than the 64 x 64" in plan.rejected[0].reason


def test_grey_images_stay_grey_and_one_colour_image_makes_all_colour(tmp_path: Path) -> None:
    write_images(tmp_path, 3, (40, 50))
    assert synthgen.freeze(folder_recipe(tmp_path)).preparation.channels == 1
    write_images(tmp_path, 1, (40, 50, 3))
    assert synthgen.freeze(folder_recipe(tmp_path)).preparation.channels == 3


def test_16_bit_images_are_scaled_by_the_range_of_the_whole_source(tmp_path: Path) -> None:
    for name, low, high in (("a", 1000, 3000), ("b", 2000, 5000)):
        ramp = np.linspace(low, high, 40 * 50).reshape(40, 50).astype(np.uint16)
        cv2.imwrite(str(tmp_path / f"{name}.png"), ramp)
    plan = synthgen.freeze(
        folder_recipe(tmp_path, size="native", normal_share=0.99, split="all", foreground="all")
    )
    assert plan.preparation.depth16 == (1000, 5000)
    samples = Pipeline(plan).samples(range(2))
    brightest = {sample.facts.source_path: sample.normal.max() for sample in samples}
    assert brightest == {"a.png": round(2000 / 4000 * 255), "b.png": 255}


@pytest.mark.parametrize("value", [65535, 0])
def test_a_hot_or_dead_pixel_changes_no_other_pixel(tmp_path: Path, value: int) -> None:
    def normals(folder: str) -> dict[str, Pixels]:
        recipe = folder_recipe(tmp_path / folder, size="native", split="all", count=10)
        plan = synthgen.freeze(recipe)
        return {sample.facts.source_path: sample.normal for sample in Pipeline(plan).samples(range(10))}

    for number in range(10):
        image = twelve_bits.deep(twelve_bits.picture(number))
        twelve_bits.save(tmp_path / "clean" / f"{number}.tif", image)
        if number == 3:
            image[5, 5] = value
        twelve_bits.save(tmp_path / "hot" / f"{number}.tif", image)
    clean, hot = normals("clean"), normals("hot")
    assert hot["3.tif"][5, 5] == value // 257
    hot["3.tif"][5, 5] = clean["3.tif"][5, 5]
    assert clean.keys() == hot.keys()
    assert all(np.array_equal(clean[name], hot[name]) for name in clean)
    assert np.array_equal(clean["3.tif"][..., 0], twelve_bits.picture(3))


def test_a_chosen_range_is_what_counts_and_what_is_told(tmp_path: Path) -> None:
    for number in range(3):
        twelve_bits.save_both(tmp_path, str(number), twelve_bits.picture(number))
    found = synthgen.freeze(folder_recipe(tmp_path / "twelve"))
    same = synthgen.freeze(folder_recipe(tmp_path / "twelve", intensity_range=[0, 4080]))
    other = synthgen.freeze(folder_recipe(tmp_path / "twelve", intensity_range=[160, 2000]))
    assert found.preparation.depth16 == same.preparation.depth16 == (0, 4080)
    assert found.fingerprint == same.fingerprint != other.fingerprint
    assert other.depth == DepthRange(
        range=(160, 2000), images=3, clipped=3, darkest=0, brightest=twelve_bits.BRIGHTEST
    )
    sample = Pipeline(other).sample(0)
    whole = twelve_bits.picture(int(Path(sample.facts.source_path).stem)).astype(float) * 16
    expected = np.rint((whole - 160) / 1840 * 255).clip(0, 255)
    assert np.abs(sample.normal[..., 0] - expected).max() <= 1  # halves may be rounded either way

    eight = [
        synthgen.freeze(folder_recipe(tmp_path / "eight", **more))
        for more in ({}, {"intensity_range": [1, 9]})
    ]
    assert eight[0].fingerprint == eight[1].fingerprint
    assert eight[1].depth is None


def test_a_texture_of_16_bits_is_scaled_by_its_own_range(tmp_path: Path) -> None:
    deep = twelve_bits.deep(twelve_bits.picture(1))
    deep[5, 5] = 65535
    twelve_bits.save(tmp_path / "texture.tif", deep)
    prepared = prepare_texture((tmp_path / "texture.tif").read_bytes(), (64, 64, 1))[..., 0]
    expected = twelve_bits.picture(1)
    expected[5, 5] = 255
    # One picture alone has a margin of a tenth above its brightest value.
    assert prepared.max() == 255
    assert np.abs(prepared / 1.0 - expected / 1.1)[np.arange(64) != 5].max() <= 1


def test_the_users_own_foreground_masks_bound_the_defects(tmp_path: Path) -> None:
    write_images(tmp_path / "good", 3, (64, 64, 3))
    (tmp_path / "masks").mkdir()
    product = np.zeros((64, 64), np.uint8)
    product[20:50, 10:40] = 255
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"masks/{number:02d}_mask.png"), product)
    plan = synthgen.freeze(folder_recipe(tmp_path / "good", foreground={"masks": str(tmp_path / "masks")}))
    marked = np.max([sample.mask for sample in Pipeline(plan).samples(range(24))], axis=0)
    assert marked.any()
    assert not marked[product == 0].any()


@pytest.mark.parametrize("problem", ["missing", "size", "damaged"])
def test_a_foreground_mask_that_does_not_fit_is_named(tmp_path: Path, problem: str) -> None:
    write_images(tmp_path / "good", 2, (64, 64, 3))
    (tmp_path / "masks").mkdir()
    for name in ("00", "01"):
        cv2.imwrite(str(tmp_path / f"masks/{name}.png"), np.full((64, 64), 255, np.uint8))
    if problem == "missing":
        (tmp_path / "masks/01.png").unlink()
    elif problem == "size":
        cv2.imwrite(str(tmp_path / "masks/01.png"), np.full((64, 32), 255, np.uint8))
    else:
        (tmp_path / "masks/01.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match=r"01\.png"):
        synthgen.freeze(folder_recipe(tmp_path / "good", foreground={"masks": str(tmp_path / "masks")}))
