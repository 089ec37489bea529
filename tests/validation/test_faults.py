"""What is planted into sound samples is found and called by its name; sound samples have no faults."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from synthgen.images.decode import decode
from synthgen.images.pixels import Pixels
from synthgen.pipeline.anomaly_source import anomalies_on
from synthgen.recipe.files import load_recipe
from synthgen.recipe.judge import JudgeRules
from synthgen.recipe.recipe import Recipe
from synthgen.sources.builtin import BuiltinSource, Photograph
from synthgen.validation.faults import set_faults, shared_pictures
from synthgen.validation.report import Fault
from synthgen.validation.samples import SampleSet
from tests.conftest import REPOSITORY

SIDE = 128
COUNT = 24
PLAIN = "changed outside of the mask"
TWO: list[tuple[str, Photograph]] = [("cutpaste", "gravel"), ("perlin-texture", "coffee")]
"""A pasting recipe on a grey texture, and a blending one on a coloured object."""

Sets = tuple[SampleSet, SampleSet]


def model_free() -> list[str]:
    """The shipped recipes that no diffusion model takes part in."""
    names = sorted(file.stem for file in (REPOSITORY / "recipes").glob("*.yaml"))
    return [
        name
        for name in names
        if not any(each.method.startswith("sdas") for each in load_recipe(name).synthesizers)
    ]


@lru_cache
def tiles(photograph: Photograph) -> list[Pixels]:
    """A built-in photograph in tiles of 128 x 128 pixels, none of which overlap."""
    source = BuiltinSource(categories=[photograph])
    found = []
    for entry in source.entries():
        image = decode(source.read(entry.path))
        image = np.broadcast_to(image, (*image.shape[:2], 3)).astype(np.uint8)
        found += [
            np.ascontiguousarray(image[top : top + SIDE, left : left + SIDE])
            for top in range(0, image.shape[0] - SIDE + 1, SIDE)
            for left in range(0, image.shape[1] - SIDE + 1, SIDE)
        ]
    return found


def made(images: Sequence[Pixels], recipe: Recipe, count: int = COUNT, seed: int = 0) -> SampleSet:
    """What a recipe makes of normal images."""
    [batch] = anomalies_on(images, recipe, seed, "part").batches(count, count)
    pixels, normals = (
        np.ascontiguousarray(each.mul(255).round().byte().permute(0, 2, 3, 1).numpy())
        for each in (batch.images, batch.normals)
    )
    return SampleSet(
        images=pixels,
        masks=batch.masks.numpy(),
        normals=normals,
        sources=tuple(sha256(normal.tobytes()).hexdigest() for normal in normals),
        methods=tuple(batch.methods),
        strengths=np.ones(count),
        areas=batch.masks.numpy().mean((1, 2)),
        contrasts=np.full(count, 50.0),  # claimed, and true of nothing
    )


@lru_cache
def sound(recipe: str, photograph: Photograph, count: int = COUNT) -> Sets:
    """Samples to learn from and to judge on, of every other tile."""
    pictures, loaded = tiles(photograph), load_recipe(recipe)
    return made(pictures[::2], loaded, count), made(pictures[1::2], loaded, count, 1)


def planted(sets: Sets, change: Callable[[SampleSet], SampleSet]) -> list[Fault]:
    learning, judging = sets
    return set_faults(change(learning), change(judging), "planted")


def only(faults: Sequence[Fault]) -> Fault:
    assert [fault.subject for fault in faults] == ["planted"], [fault.sentence for fault in faults]
    return faults[0]


def edited(samples: SampleSet, edit: Callable[[Pixels], Pixels]) -> SampleSet:
    """With other images, while the normal images stay as they were."""
    return replace(samples, images=np.stack([edit(image) for image in samples.images]))


def shifted(samples: SampleSet, dy: int, dx: int) -> SampleSet:
    """With masks that were moved down and to the right, and nothing moved in from the other side."""
    rows, columns = np.arange(SIDE) - dy, np.arange(SIDE) - dx
    known = ((rows >= 0) & (rows < SIDE))[:, None] & ((columns >= 0) & (columns < SIDE))
    return replace(samples, masks=np.roll(samples.masks, (dy, dx), (1, 2)) & known)


def too_small(samples: SampleSet) -> SampleSet:
    kernel = np.ones((3, 3), np.uint8)
    return replace(
        samples, masks=np.stack([cv2.erode(mask.view(np.uint8), kernel) > 0 for mask in samples.masks])
    )


def stamped(samples: SampleSet, stamp: Pixels) -> SampleSet:
    """With a stamp in a random place of each normal image instead of the recipe's defects."""
    side = len(stamp)
    images, masks = samples.normals.copy(), np.zeros_like(samples.masks)
    places = np.random.default_rng(0).integers(0, SIDE - side, (len(samples), 2))
    for image, mask, (top, left) in zip(images, masks, places, strict=True):
        image[top : top + side, left : left + side] = stamp
        mask[top : top + side, left : left + side] = True
    return replace(samples, images=images, masks=masks)


def taken(samples: SampleSet, positions: Sequence[int]) -> SampleSet:
    """Some samples of a set, in this order."""
    where = np.array(positions)
    return SampleSet(
        images=samples.images[where],
        masks=samples.masks[where],
        normals=samples.normals[where],
        sources=tuple(samples.sources[position] for position in positions),
        methods=tuple(samples.methods[position] for position in positions),
        strengths=samples.strengths[where],
        areas=samples.areas[where],
        contrasts=samples.contrasts[where],
    )


def jpeg(image: Pixels, **options: object) -> Pixels:
    """An image after a JPEG by Pillow."""
    encoded = BytesIO()
    Image.fromarray(image).save(encoded, "JPEG", **options)
    return np.asarray(Image.open(encoded))


def resized(image: Pixels, share: float, interpolation: int) -> Pixels:
    side = round(SIDE * share)
    small = cv2.resize(image, (side, side), interpolation=interpolation)
    return cv2.resize(small, (SIDE, SIDE), interpolation=interpolation)


@pytest.mark.parametrize("photograph", ["gravel", "coffee"])
@pytest.mark.parametrize("recipe", model_free())
def test_what_shipped_recipes_make_has_no_faults(recipe: str, photograph: Photograph) -> None:
    learning, judging = sound(recipe, photograph, 40)
    assert len(set(learning.sources)) < len(learning)  # several defects on one picture are no copies
    assert set_faults(learning, judging, recipe) == []


@pytest.mark.parametrize("sets", TWO)
@pytest.mark.parametrize(
    "options", [{"quality": 95}, {"quality": 80}, {"quality": 95, "subsampling": 0}, {"qtables": "web_high"}]
)
def test_compressed_defects_are_called_re_encoded(
    sets: tuple[str, Photograph], options: dict[str, object]
) -> None:
    fault = only(planted(sound(*sets), lambda samples: edited(samples, lambda image: jpeg(image, **options))))
    assert fault.fault == "re-encoded"
    assert "in 48 of 48 samples" in fault.sentence


@pytest.mark.parametrize("sets", TWO)
@pytest.mark.parametrize(
    "interpolation", [cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]
)
def test_defects_resized_to_90_percent_and_back_are_called_so(
    sets: tuple[str, Photograph], interpolation: int
) -> None:
    faults = planted(
        sound(*sets), lambda samples: edited(samples, lambda image: resized(image, 0.9, interpolation))
    )
    assert only(faults).fault == "resized once more"


def test_only_what_was_compressed_again_is_called_re_encoded_where_normal_images_were_jpegs() -> None:
    """The blocks of the normal images are seen in the differences, too."""
    pictures = [jpeg(tile, quality=85) for tile in tiles("gravel")]
    recipe = load_recipe("cutpaste")
    sets = made(pictures[::2], recipe), made(pictures[1::2], recipe, seed=1)
    assert set_faults(*sets, "planted") == []
    blurred = planted(
        sets, lambda samples: edited(samples, lambda image: resized(image, 0.9, cv2.INTER_LINEAR))
    )
    assert only(blurred).fault == "resized once more"
    assert only(planted(sets, too_small)).fault == PLAIN
    again = planted(sets, lambda samples: edited(samples, lambda image: jpeg(image, quality=80)))
    assert only(again).fault == "re-encoded"


@pytest.mark.parametrize("recipe", ["cutpaste", "scar", "smoothblend", "perlin-texture"])
@pytest.mark.parametrize(("dy", "dx"), [(8, 8), (-3, 5), (0, -1)])
def test_masks_beside_their_defects_are_called_shifted_by_so_many_pixels(
    recipe: str, dy: int, dx: int
) -> None:
    fault = only(planted(sound(recipe, "gravel"), lambda samples: shifted(samples, dy, dx)))
    assert fault.fault == "mask is shifted"
    assert f"(dy = {dy:+d}, dx = {dx:+d}), which explains 100% of it" in fault.sentence
    if (dy, dx) == (-3, 5):
        assert "the masks lie 3 pixels too high and 5 pixels too far right" in fault.sentence


def beside_in_turn(samples: SampleSet) -> SampleSet:
    """Masks too low and too high in turn, so that no one shift explains more than half."""
    low, high = shifted(samples, 8, 0).masks, shifted(samples, -8, 0).masks
    turns = np.arange(len(samples))[:, None, None] % 2 == 0
    return replace(samples, masks=np.where(turns, low, high))


def with_noise(samples: SampleSet) -> SampleSet:
    noise = np.random.default_rng(0).integers(-2, 3, samples.images.shape)
    return replace(samples, images=np.clip(samples.images + noise, 0, 255).astype(np.uint8))


def one_pixel(samples: SampleSet) -> SampleSet:
    images = samples.images.copy()
    row, column = np.argwhere(~samples.masks[0])[0]
    images[0, row, column] ^= 1
    return replace(samples, images=images)


@pytest.mark.parametrize(
    "change",
    [
        too_small,
        beside_in_turn,
        with_noise,
        one_pixel,
        lambda samples: edited(samples, lambda image: cv2.add(image, np.full_like(image, 2))),
    ],
    ids=["masks too small", "masks beside in turn", "noise", "one pixel of one sample", "brighter"],
)
@pytest.mark.parametrize("sets", [("cutpaste", "gravel"), ("smoothblend", "coffee")])
def test_other_changes_outside_of_the_mask_are_given_no_cause(
    sets: tuple[str, Photograph], change: Callable[[SampleSet], SampleSet]
) -> None:
    assert only(planted(sound(*sets), change)).fault == PLAIN


def test_one_pixel_is_counted() -> None:
    learning, judging = sound("cutpaste", "gravel")
    fault = only(set_faults(one_pixel(learning), judging, "planted"))
    assert fault.sentence.startswith("in 1 of 48 samples")
    assert "on less than 0.1% of the pixels there and by 1.0 grey levels" in fault.sentence


def test_defects_that_cannot_be_seen_are_called_invisible() -> None:
    recipe = load_recipe("cutpaste")
    faint = recipe.synthesizers[0].model_copy(update={"delta": (0.01, 0.01)})
    unseen = recipe.model_copy(update={"judge": JudgeRules(min_contrast=0.0), "synthesizers": [faint]})
    pictures = tiles("gravel")
    learning, judging = made(pictures[::2], unseen), made(pictures[1::2], unseen, seed=1)
    fault = only(set_faults(learning, judging, "planted"))
    assert fault.fault == "invisible"
    assert fault.sentence.startswith("in 48 of 48 samples with a defect (100%)")


@pytest.mark.parametrize(("unseen", "found"), [(4, []), (5, ["invisible"])])
def test_a_tenth_of_the_samples_may_be_invisible(unseen: int, found: list[str]) -> None:
    learning, judging = sound("cutpaste", "gravel")
    images = learning.images.copy()
    images[:unseen] = learning.normals[:unseen]
    faults = set_faults(replace(learning, images=images), judging, "planted")
    assert [fault.fault for fault in faults] == found


@pytest.mark.parametrize("level", [0, 255])
def test_squares_of_one_colour_that_no_normal_image_has_are_called_trivial(level: int) -> None:
    square = np.full((20, 20, 3), level, np.uint8)
    fault = only(planted(sound("cutpaste", "brick"), lambda samples: stamped(samples, square)))
    assert fault.fault == "trivial"
    number = "smallest grey level" if level == 0 else "largest grey level"
    assert fault.sentence.startswith(f"the {number} alone tells")
    assert "(AUROC 1.000), and 100% of the defects are of one colour" in fault.sentence


def test_the_same_picture_in_every_sample_is_called_trivial() -> None:
    board = np.repeat(np.indices((20, 20)).sum(0)[..., None] % 2 * 255, 3, 2).astype(np.uint8)
    fault = only(planted(sound("cutpaste", "brick"), lambda samples: stamped(samples, board)))
    assert fault.fault == "trivial"
    assert "100% of the defects are the same picture" in fault.sentence


def test_defects_that_one_number_tells_are_not_trivial_where_they_look_different() -> None:
    def textured(samples: SampleSet) -> SampleSet:
        """Noise of up to 255 in place of each defect: the largest level tells all of them."""
        noise = np.random.default_rng(0).integers(100, 256, samples.images.shape).astype(np.uint8)
        images = np.where(samples.masks[..., None], noise, samples.normals)
        return replace(samples, images=images)

    learning, judging = sound("cutpaste", "brick")
    normals = np.concatenate([learning.normals, judging.normals])
    assert textured(learning).images.max((1, 2, 3)).min() > normals.max()
    assert planted((learning, judging), textured) == []


def test_squares_of_one_colour_are_not_trivial_where_normal_images_have_it() -> None:
    level = np.uint8(np.median(tiles("gravel")))
    square = np.full((20, 20, 3), level, np.uint8)
    assert planted(sound("cutpaste", "gravel"), lambda samples: stamped(samples, square)) == []


def test_few_normal_images_are_not_enough_to_call_anything_trivial() -> None:
    square = np.zeros((20, 20, 3), np.uint8)
    few = [made(tiles("brick")[first : first + 3], load_recipe("cutpaste")) for first in (0, 3)]
    assert planted((few[0], few[1]), lambda samples: stamped(samples, square)) == []


def many_times(samples: SampleSet) -> SampleSet:
    return taken(samples, [position for position in range(20) for _ in range(30)])


def test_20_samples_copied_30_times_are_called_copies() -> None:
    learning, judging = sound("cutpaste", "gravel")
    fault = only(set_faults(many_times(learning), judging, "planted"))
    assert fault.fault == "copies"
    assert "600 of 624 samples with a defect are nearly the same as another" in fault.sentence
    assert "only 44 different ones:" in fault.sentence


def test_copies_that_were_made_anew_are_still_copies() -> None:
    """Each with noise of its own on image and normal image."""

    def renewed(samples: SampleSet) -> SampleSet:
        whole = taken(samples, [position for position in range(8) for _ in range(5)])
        noise = np.random.default_rng(0).integers(-2, 3, whole.images.shape)
        images, normals = (
            np.clip(each + noise, 0, 255).astype(np.uint8) for each in (whole.images, whole.normals)
        )
        return replace(whole, images=images, normals=normals)

    fault = only(planted(sound("cutpaste", "gravel"), renewed))
    assert fault.fault == "copies"
    assert "80 of 80 samples" in fault.sentence
    assert "only 16 different ones:" in fault.sentence


def painted(normals: Pixels, boxes: Sequence[tuple[int, int]], stamps: Sequence[Pixels]) -> SampleSet:
    """Stamps of one size on normal images, a stamp and its top left corner for each."""
    images, masks = normals.copy(), np.zeros(normals.shape[:3], bool)
    for image, mask, (top, left), stamp in zip(images, masks, boxes, stamps, strict=True):
        image[top : top + len(stamp), left : left + len(stamp)] = stamp
        mask[top : top + len(stamp), left : left + len(stamp)] = True
    some = taken(sound("cutpaste", "gravel")[0], [0] * len(images))
    names = tuple(sha256(normal.tobytes()).hexdigest() for normal in normals)
    return replace(some, images=images, masks=masks, normals=normals, sources=names)


def test_faint_defects_in_other_places_of_one_picture_are_no_copies() -> None:
    grey = np.full((1, SIDE, SIDE, 3), 100, np.uint8)
    faint = np.full((12, 12, 3), 102, np.uint8)
    places = [(top, left) for top in range(0, 100, 20) for left in range(0, 100, 20)]
    samples = painted(np.repeat(grey, len(places), 0), places, [faint] * len(places))
    assert set_faults(samples, sound("cutpaste", "gravel")[1], "planted") == []


def test_other_defects_in_one_place_of_one_picture_are_no_copies() -> None:
    stamps = np.random.default_rng(0).integers(0, 256, (COUNT, 12, 12, 3), np.uint8)
    normals = np.repeat(tiles("gravel")[0][None], COUNT, 0)
    samples = painted(normals, [(40, 40)] * COUNT, list(stamps))
    assert set_faults(samples, sound("cutpaste", "gravel")[1], "planted") == []


def test_one_defect_on_other_pictures_is_no_copy() -> None:
    """Pictures that differ in their grain alone, which a thumbnail does not show."""
    grain = np.random.default_rng(0).integers(80, 121, (4, SIDE, SIDE, 1), np.uint8)
    normals = np.repeat(grain, 3, 3)
    samples = painted(normals, [(40, 40)] * 4, [np.full((12, 12, 3), 200, np.uint8)] * 4)
    learning, judging = taken(samples, [0, 1]), taken(samples, [2, 3])
    assert set_faults(learning, judging, "planted") == []


@pytest.mark.parametrize(("copied", "found"), [(1, []), (2, ["copies"])])
def test_a_twentieth_of_the_samples_may_be_copies(copied: int, found: list[str]) -> None:
    learning, judging = sound("cutpaste", "gravel")
    some = taken(learning, [*range(COUNT), *range(copied)])
    assert [fault.fault for fault in set_faults(some, judging, "planted")] == found


def test_samples_to_judge_on_that_are_learned_from_are_called_copies_and_the_same_picture() -> None:
    learning, judging = sound("cutpaste", "gravel")
    mixed = replace(
        judging,
        images=np.concatenate([learning.images[:1], judging.images[1:]]),
        masks=np.concatenate([learning.masks[:1], judging.masks[1:]]),
        normals=np.concatenate([learning.normals[:1], judging.normals[1:]]),
    )
    faults = {fault.fault: fault.sentence for fault in set_faults(learning, mixed, "planted")}
    assert set(faults) == {"same picture on both sides", "copies"}
    assert "2 of 48 samples" in faults["copies"]
    assert "1 of the 24 to judge on are among those to learn from" in faults["copies"]


@pytest.mark.parametrize(
    ("again", "told"),
    [
        (lambda image: image, "(2 the same file, 0 the same picture in another file)"),
        (lambda image: image ^ 1, "(0 the same file, 2 the same picture in another file)"),
        (lambda image: jpeg(image, quality=80), "(0 the same file, 2 the same picture in another file)"),
    ],
    ids=["the same file", "other last bits", "compressed"],
)
def test_a_picture_on_both_sides_is_found(again: Callable[[Pixels], Pixels], told: str) -> None:
    pictures, recipe = tiles("gravel"), load_recipe("cutpaste")
    judging = made([*pictures[1::2], *map(again, pictures[:3:2])], recipe, 40, 1)
    fault = only(set_faults(made(pictures[::2], recipe), judging, "planted"))
    assert fault.fault == "same picture on both sides"
    assert fault.sentence.startswith("2 of 10 normal images")
    assert told in fault.sentence


def test_equal_pixels_of_another_file_are_the_same_picture() -> None:
    learning, _ = sound("cutpaste", "gravel")
    judging = made(tiles("gravel")[::2], load_recipe("cutpaste"), seed=1)
    renamed = replace(judging, sources=tuple(f"{number:064x}" for number in range(COUNT)))
    fault = only(set_faults(learning, renamed, "planted"))
    assert fault.fault == "same picture on both sides"
    assert "(0 the same file, 8 the same picture in another file)" in fault.sentence


def test_the_same_file_is_found_though_its_pixels_are_not() -> None:
    """Another tile or another resize of a file shows the same product."""
    learning, judging = sound("cutpaste", "gravel")
    fault = only(set_faults(learning, replace(judging, sources=learning.sources), "planted"))
    assert fault.fault == "same picture on both sides"
    assert "(8 the same file, 0 the same picture in another file)" in fault.sentence


def test_products_that_all_look_alike_are_not_the_same_picture() -> None:
    generator = np.random.default_rng(0)
    alike = [
        np.clip(tiles("gravel")[0] + generator.normal(0, 2, (SIDE, SIDE, 1)), 0, 255).astype(np.uint8)
        for _ in range(8)
    ]
    recipe = load_recipe("cutpaste")
    assert set_faults(made(alike[::2], recipe), made(alike[1::2], recipe, seed=1), "planted") == []


def test_blank_images_are_not_the_same_picture() -> None:
    """As tiles of the background are."""
    blank = np.full((SIDE, SIDE, 3), 9, np.uint8)
    pictures, recipe = tiles("gravel"), load_recipe("cutpaste")

    def with_blank(images: Sequence[Pixels], seed: int) -> SampleSet:
        samples = made(images, recipe, seed=seed)
        normals, image = samples.normals.copy(), samples.images.copy()
        normals[0], image[0] = blank, np.where(samples.masks[0, ..., None], samples.images[0], blank)
        return replace(
            samples, images=image, normals=normals, sources=(f"{seed}".zfill(64), *samples.sources[1:])
        )

    assert set_faults(with_blank(pictures[::2], 0), with_blank(pictures[1::2], 1), "planted") == []


@pytest.mark.parametrize(("without", "found"), [(2, []), (3, ["few samples"]), (COUNT, ["few samples"])])
def test_a_twentieth_of_the_samples_may_show_no_defect(without: int, found: list[str]) -> None:
    learning, judging = sound("cutpaste", "gravel")
    images, masks = learning.images.copy(), learning.masks.copy()
    images[:without], masks[:without] = learning.normals[:without], False
    faults = set_faults(replace(learning, images=images, masks=masks), judging, "planted")
    assert [fault.fault for fault in faults] == found
    if without == COUNT:
        assert faults[0].sentence.startswith("24 of 48 samples (50%) show no defect")


def test_sets_without_any_defect_have_no_other_fault() -> None:
    def emptied(samples: SampleSet) -> SampleSet:
        return replace(samples, images=samples.normals, masks=np.zeros_like(samples.masks))

    assert only(planted(sound("cutpaste", "gravel"), emptied)).fault == "few samples"


def test_several_faults_are_each_told() -> None:
    learning, judging = sound("cutpaste", "gravel")
    faults = set_faults(
        edited(taken(learning, [0, 1] * 12), lambda image: jpeg(image, quality=90)), judging, "planted"
    )
    assert {fault.fault for fault in faults} == {"re-encoded", "copies"}


def test_real_test_images_among_the_normal_images_are_found() -> None:
    real = {"good/3.png": "c", "good/1.png": "a", "crack/2.png": "b"}
    assert shared_pictures(real, ["d", "e"]) is None
    fault = shared_pictures(real, ["d", "c", "a"])
    assert fault is not None
    assert (fault.subject, fault.fault) == ("real test images", "same picture on both sides")
    assert fault.sentence.startswith(
        "2 of 3 real test images are also among the normal images that are learned from or held out, such as "
        "good/1.png:"
    )
