"""``resize: tile``: every sample is a part of its source picture, pixel by pixel, at a place of its own."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import synthgen
from synthgen.engines.local import LocalEngine
from synthgen.engines.run import open_run
from synthgen.images.pixels import Pixels
from synthgen.images.preparation import Tile
from synthgen.pipeline.file_index import FileIndex
from synthgen.pipeline.image_store import PlanLibrary
from synthgen.pipeline.paired_normals import normal_images
from synthgen.pipeline.pipeline import Pipeline
from synthgen.pipeline.replay import render_again
from synthgen.pipeline.tiles import LEAST_FOREGROUND
from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe
from synthgen.sample import Sample
from synthgen.shards.encode import encode
from synthgen.shards.reader import RawSample, read_samples
from synthgen.shards.verify import verify_shards
from synthgen.storage.root import Root
from tests.recipes import ALL_METHODS, small_recipe

TILE = (48, 64)
PICTURES = [(200, 310), (230, 260), (150, 420), (211, 223), (260, 300)]


def picture(number: int, shape: tuple[int, int]) -> Pixels:
    """A bright noisy disc, no two of its places alike, before an even dark ground; RGB."""
    height, width = shape
    noise = np.random.default_rng(number).normal(0, 30, (height, width, 3))
    rows, columns = np.mgrid[:height, :width]
    inside = (rows - height / 2) ** 2 + (columns - width / 3) ** 2 < (0.3 * height) ** 2
    ground = np.random.default_rng(99 + number).normal(20, 1, (height, width, 3))
    return np.where(inside[..., None], 150 + noise, ground).clip(0, 255).astype(np.uint8)


def write(folder: Path) -> dict[str, Pixels]:
    """Pictures of several sizes; their pixels by the sha256 of their files."""
    folder.mkdir(parents=True)
    pixels = {}
    for number, shape in enumerate(PICTURES):
        path = folder / f"{number}.png"
        image = picture(number, shape)
        cv2.imwrite(str(path), image[..., ::-1])
        pixels[sha256(path.read_bytes()).hexdigest()] = image
    return pixels


def tile_recipe(folder: Path, **fields: Any) -> Recipe:
    source = {"kind": "folder", "path": str(folder)}
    return small_recipe(**{"source": source, "size": TILE, "resize": "tile"} | fields)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiles") / "good"


@pytest.fixture(scope="module")
def sources(good: Path) -> dict[str, Pixels]:
    return write(good)


@pytest.fixture(scope="module")
def plan(good: Path, sources: dict[str, Pixels]) -> Plan:
    assert sources
    return synthgen.freeze(tile_recipe(good))


@pytest.fixture(scope="module")
def samples(plan: Plan) -> list[Sample]:
    return list(Pipeline(plan).samples(range(64)))


def place(sample: Sample) -> Tile:
    assert sample.facts.tile
    return sample.facts.tile


def part(image: Pixels, tile: Tile) -> Pixels:
    return image[tile.top : tile.top + TILE[0], tile.left : tile.left + TILE[1]]


def test_the_normal_image_is_the_source_s_pixels_at_the_place_that_the_facts_name(
    samples: list[Sample], sources: dict[str, Pixels]
) -> None:
    for sample in samples:
        source = sources[sample.facts.source_sha256]
        tile = place(sample)
        assert tile.top + TILE[0] <= source.shape[0]
        assert tile.left + TILE[1] <= source.shape[1]
        assert np.array_equal(sample.normal, part(source, tile))
        assert np.array_equal(sample.image[sample.mask == 0], sample.normal[sample.mask == 0])
    assert len({(sample.facts.source_sha256, place(sample)) for sample in samples}) > 60


def test_the_facts_have_a_place_only_where_there_are_tiles(samples: list[Sample]) -> None:
    facts = json.loads(samples[0].facts.model_dump_json())
    assert facts["tile"] == {"top": place(samples[0]).top, "left": place(samples[0]).left}
    whole = Pipeline(synthgen.freeze(small_recipe())).sample(0)
    assert "tile" not in json.loads(whole.facts.model_dump_json())
    assert "tile" not in json.loads(whole.facts.params)["preparation"]


def test_a_tenth_of_every_tile_is_foreground_and_every_place_of_the_product_is_shown(
    samples: list[Sample], sources: dict[str, Pixels], plan: Plan
) -> None:
    assert {rule.product_type for rule in plan.foreground.values()} == {"object"}
    shown = {digest: np.zeros(image.shape[:2], bool) for digest, image in sources.items()}
    for sample in [*samples, *Pipeline(plan).samples(range(64, 1000))]:
        assert sample.scene.foreground_pixels >= LEAST_FOREGROUND * TILE[0] * TILE[1]
        part(shown[sample.facts.source_sha256], place(sample))[:] = True
    used = {sample.facts.source_sha256 for sample in samples}
    for digest in used:
        product = sources[digest].min(axis=2) > 60
        assert shown[digest][product].mean() > 0.99


@pytest.mark.parametrize("thickness", [1, 3])
def test_a_product_thinner_than_a_tenth_of_a_tile_is_still_found(thickness: int, tmp_path: Path) -> None:
    """A bright wire across dark pictures; a twentieth of the picture's rows show it."""
    for number in range(2):
        image = np.random.default_rng(number).integers(10, 20, (400, 600), np.uint8)
        image[150 : 150 + thickness] = 220
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    rule = {"side": "bright", "threshold": 128}
    plan = synthgen.freeze(tile_recipe(tmp_path, foreground=rule, split="all"))
    for sample in Pipeline(plan).samples(range(40)):
        tile = place(sample)
        assert tile.top < 150 + thickness
        assert tile.top + TILE[0] > 150
        assert sample.scene.foreground_pixels == thickness * TILE[1]


@pytest.mark.parametrize("settings", [{"batch_size": 1}, {"batch_size": 7}, {"cache_bytes": 1}])
def test_neither_batch_nor_order_nor_cache_changes_a_sample(
    plan: Plan, samples: list[Sample], settings: dict[str, int]
) -> None:
    order = [*range(39, -1, -3), *range(0, 39, 2)]
    for index, sample in zip(order, Pipeline(plan, **settings).samples(order), strict=True):
        assert sample.facts == samples[index].facts
        assert np.array_equal(sample.image, samples[index].image)
        assert np.array_equal(sample.mask, samples[index].mask)


def test_pictures_are_taken_for_eight_samples_in_a_row_and_all_of_them_before_any_again(
    plan: Plan, samples: list[Sample]
) -> None:
    used = sum(image.split == "train" for image in plan.images)
    taken = [sample.facts.source_sha256 for sample in samples]
    rows = [taken[first : first + 8] for first in range(0, 64, 8)]
    assert all(len(set(row)) == 1 for row in rows)
    assert len({row[0] for row in rows[:used]}) == used


def test_another_seed_cuts_elsewhere(good: Path, samples: list[Sample]) -> None:
    other = Pipeline(synthgen.freeze(tile_recipe(good, seed=4))).samples(range(24))
    pairs = zip(other, samples, strict=False)
    assert sum(place(one) == place(two) for one, two in pairs) <= 1


def generate(recipe: Recipe, folder: Path, workers: int) -> list[RawSample]:
    run = open_run(synthgen.freeze(recipe), str(folder))
    for _ in run.make(LocalEngine(workers)):
        pass
    root = Root(str(folder))
    return [sample for shard in run.shards for sample in read_samples(root, shard)]


def test_workers_change_no_byte_and_every_sample_is_verified_and_replayed(
    good: Path, sources: dict[str, Pixels], tmp_path: Path
) -> None:
    """With patches of other pictures, which are tiles of theirs too."""
    methods = [{"method": "cutpaste", "patch_from": "other"}, {"method": "nsa", "patch_from": "other"}]
    recipe = tile_recipe(good, synthesizers=[*ALL_METHODS, *methods], count=48)
    one = generate(recipe, tmp_path / "one", workers=1)
    two = generate(recipe, tmp_path / "two", workers=2)
    assert [sample.members for sample in one] == [sample.members for sample in two]
    plan = synthgen.freeze(recipe)
    for url in (None, str(good)):
        report = verify_shards(tmp_path / "one", normal_images(plan, url))
        assert report.ok, report.lines()
        assert not report.unchecked
    files = FileIndex([str(good)])
    assert all(render_again(sample, files).identical for sample in one)
    records = [json.loads(json.loads(sample.members["json"])["params"]) for sample in one]
    others = [record["other_tiles"] for record in records if "other_tiles" in record]
    assert len(others) > 5
    assert {digest for tiles in others for digest in tiles} <= set(sources)


def test_a_place_that_is_not_the_sample_s_own_is_noticed(plan: Plan, good: Path) -> None:
    sample = Pipeline(plan).sample(0)
    files = FileIndex([str(good)])
    members = encode(sample, plan.recipe.output)
    assert render_again(RawSample(sample.facts.key, members, []), files).identical
    tile = place(sample)
    moved = sample.facts.model_copy(update={"tile": Tile(top=tile.top, left=tile.left - 1)})
    forged = members | {"json": moved.model_dump_json().encode()}
    assert not render_again(RawSample(sample.facts.key, forged, []), files).identical


def test_the_users_own_masks_are_cut_at_the_same_place(tmp_path: Path) -> None:
    pixels = write(tmp_path / "good")
    (tmp_path / "masks").mkdir()
    masks = {}
    for number, (digest, image) in enumerate(pixels.items()):
        mask = np.where(
            np.random.default_rng(number).random(image.shape[:2]) < 0.5, np.uint8(255), np.uint8(0)
        )
        mask[:, : image.shape[1] // 2] = 0
        cv2.imwrite(str(tmp_path / f"masks/{number}.png"), mask)
        masks[digest] = mask
    plan = synthgen.freeze(tile_recipe(tmp_path / "good", foreground={"masks": str(tmp_path / "masks")}))
    for sample in Pipeline(plan).samples(range(24)):
        mask = part(masks[sample.facts.source_sha256], place(sample))
        assert np.array_equal(sample.scene.foreground, mask)
        assert mask.any()
        assert not sample.mask[mask == 0].any()
        assert render_again(
            RawSample(sample.facts.key, encode(sample, plan.recipe.output), []),
            FileIndex([str(tmp_path / "good"), str(tmp_path / "masks")]),
        ).identical


def test_the_split_is_one_of_pictures(good: Path, samples: list[Sample], plan: Plan) -> None:
    held_out = {image.sha256 for image in plan.images if image.split == "held-out"}
    assert len(held_out) == 1
    for sample in samples:
        assert sample.facts.source_sha256 not in held_out
        assert not any(digest in sample.facts.params for digest in held_out)


def test_a_picture_smaller_than_a_tile_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "good")
    recipe = tile_recipe(tmp_path / "good", size=[205, 220])
    plan = synthgen.freeze(recipe)
    assert {file.path for file in plan.rejected} == {"0.png", "2.png"} - {image.path for image in plan.images}
    assert "smaller than the 220 x 205 to be cut out; use resize: whole" in plan.rejected[0].reason


def test_a_picture_as_large_as_the_tile_is_shown_whole(tmp_path: Path) -> None:
    pixels = write(tmp_path / "good")
    [(digest, image)] = [(digest, image) for digest, image in pixels.items() if image.shape[:2] == (200, 310)]
    source = {"kind": "folder", "path": str(tmp_path / "good"), "pattern": "0.png"}
    plan = synthgen.freeze(tile_recipe(tmp_path, source=source, size=[200, 310]))
    for sample in Pipeline(plan).samples(range(8)):
        assert (sample.facts.source_sha256, place(sample)) == (digest, Tile(top=0, left=0))
        assert np.array_equal(sample.normal, image)


def test_grey_pictures_of_16_bits_are_cut_after_scaling(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (100, 120), np.uint16)
    values[0, :2] = 0, 4095
    cv2.imwrite(str(tmp_path / "a.png"), values)
    plan = synthgen.freeze(tile_recipe(tmp_path, foreground="all"))
    assert plan.preparation.depth16 is not None
    low, high = plan.preparation.depth16
    expected = np.rint((values.astype(float) - low) / (high - low) * 255).clip(0, 255)
    for sample in Pipeline(plan).samples(range(8)):
        assert np.abs(sample.normal[..., 0] - part(expected, place(sample))).max() <= 0.5  # type: ignore[arg-type]


def test_the_order_in_which_pictures_are_asked_for_changes_no_place(plan: Plan) -> None:
    library = PlanLibrary(plan)
    digests = [image.sha256 for image in plan.images]
    places = [{each: library.of_sample(5).scene(each).tile for each in digests}]
    for order in (digests, digests[::-1]):
        sample = library.of_sample(5)
        places.append({each: sample.scene(each).tile for each in order})
        assert all(sample.scene(each).library is sample for each in order)
    assert places[0] == places[1] == places[2]
    assert len({str(tile) for tile in places[0].values()}) == len(digests)
