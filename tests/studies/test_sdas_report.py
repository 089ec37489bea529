"""Distance from normal, against slow versions and pictures made by hand."""

from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from scipy import stats

from synthgen.detectors.common.backbones import load_backbone
from synthgen.diffusion.model_files import ModelFacts
from synthgen.errors import InputError
from synthgen.images.pixels import Pixels
from synthgen.sources.folder import FolderSource
from synthgen.streams import Stream
from tests.studies import distance_from_normal
from tests.studies.distance_from_normal import (
    CELLS,
    Vectors,
    feature_space,
    measure,
    nearest_distances,
    normal_pictures,
    paired_rise,
    patches,
    pixel_space,
    share_nearer,
)
from tests.studies.sdas_report import contact_sheet


def noise(*shape: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def slow_nearest(queries: Vectors, references: Vectors, without_itself: bool) -> list[float]:
    return [
        min(
            float(np.sqrt(((query.astype(float) - reference) ** 2).sum()))
            for other, reference in enumerate(references)
            if not (without_itself and other == number)
        )
        for number, query in enumerate(queries)
    ]


@pytest.mark.parametrize("without_itself", [False, True])
def test_nearest_distances_are_those_of_a_slow_loop(
    monkeypatch: pytest.MonkeyPatch, without_itself: bool
) -> None:
    monkeypatch.setattr(distance_from_normal, "CHUNK", 7)
    references = np.random.default_rng(1).normal(size=(30, 5)).astype(np.float32)
    queries = references if without_itself else references[:12] + np.float32(0.1)
    found = nearest_distances(queries, references, without_itself=without_itself)
    np.testing.assert_allclose(found, slow_nearest(queries, references, without_itself), rtol=1e-6)


def test_a_copy_has_no_distance() -> None:
    vectors = pixel_space(noise(6, 8, 8, 3))
    assert nearest_distances(vectors[2:3], vectors) < 1e-4
    assert nearest_distances(vectors, vectors, without_itself=True).min() > 50


def test_pixel_distance_is_the_root_mean_square_difference() -> None:
    pictures = noise(2, 9, 7, 3)
    first, second = pictures.astype(float)
    expected = np.sqrt(((first - second) ** 2).mean())
    assert nearest_distances(*np.split(pixel_space(pictures), 2)) == pytest.approx(expected, rel=1e-6)


def test_feature_distance_is_the_root_mean_square_over_unit_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distance_from_normal, "FEATURE_SIDE", 64)
    monkeypatch.setattr(distance_from_normal, "FEATURE_BATCH", 2)
    backbone = load_backbone("resnet18", "random", (1, 2, 3))
    pictures = noise(3, 64, 64, 3)
    vectors = feature_space(backbone)(pictures)
    squares = []
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    for stage in backbone(images).values():
        side = stage.shape[2] // CELLS
        for row, column in product(range(CELLS), repeat=2):
            cell = stage[:, :, row * side : (row + 1) * side, column * side : (column + 1) * side].mean(
                (2, 3)
            )
            first, _, last = cell / cell.norm(dim=1, keepdim=True)
            squares.append(float((first - last).square().sum()))
    assert len(squares) == 48
    found = nearest_distances(vectors[:1], vectors[2:])
    assert found == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-4)


def test_grey_pictures_have_the_features_of_three_equal_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distance_from_normal, "FEATURE_SIDE", 32)
    space = feature_space(load_backbone("resnet18", "random", (1,)))
    grey = noise(1, 16, 16, 1)
    np.testing.assert_allclose(space(grey), space(np.repeat(grey, 3, axis=3)), atol=1e-6)


def test_every_picture_is_compared_with_its_own_category() -> None:
    dark, light = np.full((3, 4, 4, 1), 10, np.uint8), np.full((3, 4, 4, 1), 200, np.uint8)
    found = measure(
        pixel_space, {"dark": dark, "light": light}, {"light": light + np.uint8(5)}, {0.0: {"dark": light}}
    )
    assert found.samples[0]["dark"] == pytest.approx([190] * 3)
    assert found.held_out["light"] == pytest.approx([5] * 3)
    assert found.training["dark"] == pytest.approx([0] * 3, abs=1e-4)


def test_rises_are_of_pairs() -> None:
    random = np.random.default_rng(2)
    before = random.normal(100, 30, 50)
    after = before + random.normal(1, 2, 50)
    rise = paired_rise(before, after)
    assert rise.mean == pytest.approx((after - before).mean())
    assert rise.mean / rise.error == pytest.approx(stats.ttest_rel(after, before).statistic)
    assert rise.share == np.mean([high > low for low, high in zip(before, after, strict=True)])


def test_copies_are_nearer_than_normal_images_are() -> None:
    normal = np.linspace(1, 2, 101)
    assert share_nearer(normal, normal, 0.05) == pytest.approx(0.05, abs=0.01)
    assert share_nearer(normal - 0.5, normal, 0.05) == pytest.approx(0.55, abs=0.01)
    assert share_nearer(np.zeros(4), normal, 0.05) == 1


def facts(**fields: Any) -> ModelFacts:
    common: dict[str, Any] = {
        "size": 4,
        "channels": 1,
        "view": "patch",
        "image_size": (16, 16),
        "categories": ["a"],
        "trained_on": 1,
        "training": {"flips": "none"},
    }
    # Not validated: so small a size, of which every patch can be listed, no training allows.
    return ModelFacts.model_construct(**(common | fields))


@pytest.mark.parametrize(("flips", "ways"), [("none", 1), ("horizontal", 2), ("vertical", 2), ("both", 4)])
def test_patches_are_cut_and_mirrored_as_in_training(flips: str, ways: int) -> None:
    image = np.arange(49, dtype=np.uint8).reshape(7, 7, 1)
    cut = patches([image], facts(training={"flips": flips}), 2000, Stream(1, 0, "test"))
    places = [image[row : row + 4, column : column + 4] for row, column in product(range(4), repeat=2)]
    mirrored = [lambda x: x, lambda x: x[:, ::-1], lambda x: x[::-1], lambda x: x[::-1, ::-1]]
    chosen = {"none": [0], "horizontal": [0, 1], "vertical": [0, 2], "both": [0, 1, 2, 3]}[flips]
    allowed = {mirrored[way](place).tobytes() for way in chosen for place in places}
    assert {patch.tobytes() for patch in cut} == allowed
    assert len(allowed) == 16 * ways


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), noise(16, 16, seed=number))
    return tmp_path


def test_training_and_held_out_images_share_none(folder: Path) -> None:
    source = FolderSource(path=str(folder))
    whole = facts(view="image", size=16, trained_on=8)
    training, held_out = (next(iter(each.values())) for each in normal_pictures(source, whole, seed=0))
    assert (training.shape, held_out.shape) == ((8, 16, 16, 1), (2, 16, 16, 1))
    every = {picture.tobytes() for picture in (*training, *held_out)}
    assert every == {noise(16, 16, seed=number).tobytes() for number in range(10)}


def test_patches_of_held_out_images_are_of_them_alone(folder: Path) -> None:
    source = FolderSource(path=str(folder))
    whole, cut = (
        normal_pictures(source, facts(view=view, size=size, trained_on=8), seed=0)
        for view, size in (("image", 16), ("patch", 14))
    )
    for images, some in zip(whole, cut, strict=True):
        (images_of_one,), (patches_of_one,) = images.values(), some.values()
        places = {
            image[row : row + 14, column : column + 14].tobytes()
            for image, row, column in product(images_of_one, range(3), range(3))
        }
        assert {patch.tobytes() for patch in patches_of_one} <= places


@pytest.mark.parametrize("wrong", [{"trained_on": 9}, {"trained_on": 8, "categories": ["a", "b"]}])
def test_a_source_that_the_model_was_not_trained_on(folder: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"has 8 images of .* and the model was trained on"):
        normal_pictures(FolderSource(path=str(folder)), facts(**wrong), seed=0)


def test_the_sheet_shows_as_many_of_each_category() -> None:
    samples = {"dark": np.full((60, 4, 4, 1), 50, np.uint8), "light": np.full((60, 4, 4, 1), 150, np.uint8)}
    sheet = contact_sheet(samples)
    assert sheet.shape[0] == sheet.shape[1]
    assert (sheet == 50).sum() == (sheet == 150).sum() > sheet.size / 3
