"""What a training sees: which images, and which views of them."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from synthgen.diffusion.tensors import from_network, to_network
from synthgen.diffusion.training.images import read_images
from synthgen.diffusion.training.settings import TrainingSettings
from synthgen.errors import InputError
from synthgen.images.pixels import Pixels
from synthgen.sources.builtin import BuiltinSource
from synthgen.sources.folder import FolderSource
from synthgen.sources.survey import survey
from synthgen.streams import Stream
from tests import twelve_bits
from tests.diffusion.training.trainings import SIDE, images, pictures, write_pictures

TURNS = {
    "": lambda image: image,
    "h": lambda image: image[:, ::-1],
    "v": lambda image: image[::-1],
    "hv": lambda image: image[::-1, ::-1],
}


def stream(purpose: str = "test") -> Stream:
    return Stream(0, 0, purpose)


def found_in(view: Pixels, image: Pixels) -> list[tuple[int, int, str]]:
    """Where, and how mirrored, a view lies in an image."""
    places = []
    height, width = view.shape[:2]
    for name, turn in TURNS.items():
        windows = np.lib.stride_tricks.sliding_window_view(image, (height, width), (0, 1))
        same = (windows.transpose(0, 1, 3, 4, 2) == turn(view)).all((2, 3, 4))
        places += [(int(top), int(left), name) for top, left in np.argwhere(same)]
    return places


def test_every_category_is_drawn_equally_often() -> None:
    of = images(1, 30, 5)
    settings = TrainingSettings(size=16)
    pixels, classes = of.batch(stream(), settings, 3000)
    counts = Counter(classes.tolist())
    # Binomial with 3000 draws of 1/3: the deviation is 26.
    assert all(abs(counts[number] - 1000) < 4 * 26 for number in range(3))
    seen: dict[int, set[bytes]] = {number: set() for number in range(3)}
    for view, category in zip(pixels, classes, strict=True):
        seen[int(category)].add(view.tobytes())
    for number in range(3):
        own = {image.tobytes() for image in of.pixels[of.classes == number]}
        assert seen[number] == own


def test_whole_images_are_seen_as_they_are() -> None:
    of = images(8)
    pixels, _ = of.batch(stream(), TrainingSettings(size=16), 20)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (20, SIDE, SIDE, 3)
    assert {view.tobytes() for view in pixels} <= {image.tobytes() for image in of.pixels}


@pytest.mark.parametrize(
    ("flips", "expected"),
    [("none", {""}), ("horizontal", {"", "h"}), ("vertical", {"", "v"}), ("both", set(TURNS))],
)
def test_only_the_allowed_mirror_images_are_seen(flips: str, expected: set[str]) -> None:
    of = images(1)
    settings = TrainingSettings.model_validate({"size": 16, "flips": flips})
    pixels, _ = of.batch(stream(), settings, 60)
    counts = Counter(name for view in pixels for _, _, name in found_in(view, of.pixels[0]))
    assert set(counts) == expected
    assert min(counts.values()) > 60 / len(expected) / 3


def test_patches_are_cut_from_everywhere_at_their_own_scale() -> None:
    of = images(1)
    settings = TrainingSettings.model_construct(size=8, view="patch", flips="none", shift=0)
    pixels, _ = of.batch(stream(), settings, 400)
    places = Counter(place for view in pixels for place in found_in(view, of.pixels[0]))
    assert sum(places.values()) == 400
    assert {top for top, _, _ in places} == {left for _, left, _ in places} == set(range(SIDE - 8 + 1))


def test_a_shift_moves_the_image_and_mirrors_its_border() -> None:
    of = images(1)
    pixels, _ = of.batch(stream(), TrainingSettings(size=16, shift=3), 300)
    padded = np.pad(of.pixels[0], ((3, 3), (3, 3), (0, 0)), "reflect")
    places = [found_in(view, padded) for view in pixels]
    assert all(len(each) == 1 for each in places)
    assert {place[:2] for [place] in places} >= {(0, 3), (6, 3), (3, 0), (3, 6)}


def test_a_stream_always_draws_the_same_batch() -> None:
    settings = TrainingSettings(size=16, shift=2, flips="both")
    one, other, third = (
        images(8, 3).batch(stream(purpose), settings, 16) for purpose in ("test", "test", "another")
    )
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])
    assert not np.array_equal(one[0], third[0])


def test_all_levels_survive_the_way_to_the_network_and_back() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    levels[..., 1] = 255 - levels[..., 1]
    there = to_network(levels)
    assert there.shape == (1, 3, 16, 16)
    assert (float(there.min()), float(there.max())) == (-1, 1)
    assert float(there[0, 0, 5, 1]) == pytest.approx(int(levels[0, 5, 1, 0]) / 127.5 - 1)
    np.testing.assert_array_equal(from_network(there), levels)
    np.testing.assert_array_equal(from_network(there * 3 + 10), np.full_like(levels, 255))


def test_the_held_out_images_stay_unseen(tmp_path: Path) -> None:
    source = FolderSource(path=str(write_pictures(tmp_path / "good", 20)))
    read = read_images(source, TrainingSettings(size=16))
    split = survey(source, (16, 16), "whole", "skip").images
    fit = [image.sha256 for image in split if image.split == "train"]
    assert read.sha256s == tuple(fit)
    assert len(fit) == 16
    everything = {image.tobytes() for image in pictures(20)}
    assert {image.tobytes() for image in read.pixels} < everything


def test_images_are_resized_to_the_models_size_or_to_that_of_the_recipe(tmp_path: Path) -> None:
    source = FolderSource(path=str(write_pictures(tmp_path / "good")))
    assert read_images(source, TrainingSettings(size=32)).pixels.shape == (8, 32, 32, 3)
    patches = TrainingSettings(size=16, view="patch", image_size=(24, 40))
    assert read_images(source, patches).pixels.shape == (8, 24, 40, 3)


def test_categories_are_numbered_by_their_names() -> None:
    source = BuiltinSource(categories=["gravel", "brick", "grass"], held_out=0)
    read = read_images(source, TrainingSettings(size=16))
    assert read.categories == ("brick", "grass", "gravel")
    assert read.classes.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert read.channels == 1


def test_sixteen_bits_grey_and_colour_are_seen_together(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "good", 4)
    grey: npt.NDArray[np.uint16] = np.linspace(1000, 5000, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint16)
    for number in range(4):
        cv2.imwrite(str(folder / f"deep-{number}.png"), np.roll(grey, number))
        cv2.imwrite(str(folder / f"grey-{number}.png"), (np.roll(grey, number) // 256).astype(np.uint8))
    (folder / "broken.png").write_bytes(b"no picture")
    read = read_images(FolderSource(path=str(folder), held_out=0), TrainingSettings(size=16))
    assert read.pixels.shape == (12, SIDE, SIDE, 3)
    deep = [image for image in read.pixels if image.min() == 0 and image.max() == 255 and is_grey(image)]
    assert len(deep) == 4
    assert [(file.path, file.reason[:8]) for file in read.rejected] == [("broken.png", "the file")]


def test_pictures_of_12_bits_are_seen_as_the_same_in_8(tmp_path: Path) -> None:
    for number in range(8):
        twelve_bits.save_both(tmp_path, str(number), twelve_bits.picture(number))
    eight, twelve = (
        read_images(FolderSource(path=str(tmp_path / kind), held_out=0), TrainingSettings(size=32))
        for kind in ("eight", "twelve")
    )
    np.testing.assert_array_equal(twelve.pixels, eight.pixels)


def is_grey(image: Pixels) -> bool:
    return bool((image == image[..., :1]).all())


@pytest.mark.parametrize(("count", "held_out", "left"), [(7, 0.0, 7), (9, 0.3, 7)])
def test_fewer_than_eight_images_are_refused(tmp_path: Path, count: int, held_out: float, left: int) -> None:
    source = FolderSource(path=str(write_pictures(tmp_path / "good", count)), held_out=held_out)
    with pytest.raises(InputError, match=f"has {left} images to train on .* needs 8 or more"):
        read_images(source, TrainingSettings(size=16))


def test_eight_images_are_enough(tmp_path: Path) -> None:
    source = FolderSource(path=str(write_pictures(tmp_path / "good", 8)), held_out=0)
    assert len(read_images(source, TrainingSettings(size=16)).pixels) == 8
