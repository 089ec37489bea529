"""Labelled data sets: which images, labels and masks are read, and what is refused."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from synthgen.errors import InputError
from synthgen.evaluation import test_set as test_set_module
from synthgen.evaluation.labelled import open_dataset
from synthgen.evaluation.test_set import LabelledDataset, NormalPictures, Pictures, TestSet, resized_mask
from synthgen.images.decode import decode
from synthgen.images.pixels import Decoded
from tests.evaluation.sets import (
    BACKGROUND,
    PATCH,
    SIDE,
    make_shards,
    mvtec_category,
    patch_mask,
    picture,
    save,
)
from tests.shards.helpers import edit_facts, rewrite


def told(test_set: TestSet) -> list[tuple[str, str, bool, str | None]]:
    return [(image.path, image.defect_type, image.anomalous, image.mask) for image in test_set.images]


def masks(test_set: TestSet, side: int = SIDE) -> list[int]:
    """How many pixels of each image are anomalous."""
    return [int(test_set.truth(image, side)[1].sum()) for image in test_set.images]


def test_mvtec(tmp_path: Path) -> None:
    mvtec_category(tmp_path / "set" / "nut")
    mvtec_category(tmp_path / "set" / "bolt")
    save(tmp_path / "set" / "extra" / "train" / "good" / "0.png", picture(1))
    dataset = open_dataset(str(tmp_path / "set"))
    assert (dataset.layout, dataset.name, list(dataset.categories())) == ("mvtec", "set", ["bolt", "nut"])
    test_set = dataset.test_set("nut")
    assert told(test_set) == [
        ("nut/test/crack/0.png", "crack", True, "nut/ground_truth/crack/0_mask.png"),
        ("nut/test/crack/1.png", "crack", True, "nut/ground_truth/crack/1_mask.png"),
        ("nut/test/good/0.png", "good", False, None),
        ("nut/test/good/1.png", "good", False, None),
    ]
    assert masks(test_set) == [64, 64, 0, 0]
    truth = test_set.truth(test_set.images[0], SIDE)[1]
    assert truth[PATCH].all()
    assert np.array_equal(test_set.image(test_set.images[1], SIDE), picture(120))
    assert dataset.normals("nut").paths == ("nut/train/good/0.png", "nut/train/good/1.png")


def test_the_root_may_be_a_category(tmp_path: Path) -> None:
    dataset = open_dataset(str(mvtec_category(tmp_path / "nut")))
    assert list(dataset.categories()) == ["nut"]
    assert told(dataset.test_set("nut"))[0][3] == "ground_truth/crack/0_mask.png"
    assert dataset.normals("nut").paths == ("train/good/0.png", "train/good/1.png")


def test_btad_has_masks_of_the_images_names(tmp_path: Path) -> None:
    mvtec_category(tmp_path / "01", "ok", "")
    (tmp_path / "01" / "ground_truth" / "crack" / "0.png").unlink()
    save(tmp_path / "01" / "ground_truth" / "crack" / "0.bmp", patch_mask())
    dataset = open_dataset(str(tmp_path))
    assert dataset.layout == "btad"
    test_set = dataset.test_set("01")
    assert [image.mask for image in test_set.images] == [
        "01/ground_truth/crack/0.bmp",
        "01/ground_truth/crack/1.png",
        None,
        None,
    ]
    assert [image.anomalous for image in test_set.images] == [True, True, False, False]
    assert masks(test_set) == [64, 64, 0, 0]
    assert len(dataset.normals("01").paths) == 2


def test_a_layout_by_name(tmp_path: Path) -> None:
    mvtec_category(tmp_path / "tubes")
    assert open_dataset(str(tmp_path), "mpdd").layout == "mpdd"
    # By the name of another layout, ``good`` is a defect like any other.
    assert all(image.anomalous for image in open_dataset(str(tmp_path), "btad").test_set("tubes").images)
    with pytest.raises(
        InputError, match=r"data set 'mvtek' is not known; .* visa, btad, mvtec, mpdd, folders, shards"
    ):
        open_dataset(str(tmp_path), "mvtek")


VISA_ROWS = """object,split,label,image,mask
nut,train,normal,nut/n0.png,
nut,test,normal,nut/n1.png,
nut,test,anomaly,nut/a1.png,nut/m1.png
nut,test,anomaly,nut/a0.png,nut/m0.png
nut,train,anomaly,nut/none.png,nut/none.png
bolt,test,normal,nut/n0.png,
"""


def visa(folder: Path, rows: str = VISA_ROWS) -> Path:
    for name in ("n0", "n1", "a0", "a1"):
        save(folder / "nut" / f"{name}.png", picture(77))
    save(folder / "nut" / "m0.png", patch_mask(1))
    mask = patch_mask(3)
    mask[0, 0] = 1  # another defect type
    save(folder / "nut" / "m1.png", mask)
    (folder / "split_csv").mkdir()
    (folder / "split_csv" / "1cls.csv").write_text(rows, encoding="utf-8-sig")
    return folder


def test_visa_takes_the_test_rows(tmp_path: Path) -> None:
    dataset = open_dataset(str(visa(tmp_path)))
    assert (dataset.layout, sorted(dataset.categories())) == ("visa", ["bolt", "nut"])
    test_set = dataset.test_set("nut")
    assert told(test_set) == [
        ("nut/a0.png", "anomaly", True, "nut/m0.png"),
        ("nut/a1.png", "anomaly", True, "nut/m1.png"),
        ("nut/n1.png", "normal", False, None),
    ]
    assert masks(test_set) == [64, 65, 0]
    assert dataset.normals("nut").paths == ("nut/n0.png",)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("object,split,label,image\nnut,test,normal,nut/n0.png\n", "no column mask"),
        ("object,split,label,image,mask\nnut,train,normal,nut/n0.png,\n", "no row with split 'test'"),
        ("object,split,label,image,mask\nnut,test,good,nut/n0.png,\n", "label 'good' for nut/n0.png"),
        (
            "object,split,label,image,mask\n" + 2 * "nut,test,normal,nut/n0.png,\n",
            "names nut/n0.png twice; remove a row",
        ),
    ],
)
def test_visa_with_a_wrong_split_file(tmp_path: Path, rows: str, reason: str) -> None:
    dataset = open_dataset(str(visa(tmp_path, rows)))
    with pytest.raises(InputError, match=reason):
        dataset.test_set(next(iter(dataset.categories())))


def test_nothing_with_labels(tmp_path: Path) -> None:
    save(tmp_path / "a.png", picture(1))
    places = (
        r"split_csv/1cls\.csv, no test/<defect type> or <category>/test/<defect type>, "
        r"no good beside folders of defects and no plan\.json"
    )
    with pytest.raises(InputError, match=rf"has no {places}; .* \(visa, btad, mvtec, mpdd, folders\)"):
        open_dataset(str(tmp_path))
    with pytest.raises(InputError, match="does not exist"):
        open_dataset(str(tmp_path / "none"))


def remove_mask(nut: Path) -> None:
    (nut / "ground_truth" / "crack" / "0_mask.png").unlink()


def remove_image(nut: Path) -> None:
    (nut / "test" / "crack" / "0.png").unlink()


def two_masks(nut: Path) -> None:
    save(nut / "ground_truth" / "crack" / "0.bmp", patch_mask())


def two_images(nut: Path) -> None:
    save(nut / "test" / "crack" / "0.bmp", picture(80))


def other_size(nut: Path) -> None:
    save(nut / "ground_truth" / "crack" / "0_mask.png", patch_mask(side=40))


def empty_mask(nut: Path) -> None:
    save(nut / "ground_truth" / "crack" / "0_mask.png", patch_mask(0))


def mask_of_a_normal_image(nut: Path) -> None:
    save(nut / "ground_truth" / "good" / "1_mask.png", patch_mask())


def jpeg_mask(nut: Path) -> None:
    mask = nut / "ground_truth" / "crack" / "0_mask.png"
    Image.fromarray(patch_mask()).save(mask, "JPEG")


def broken_image(nut: Path) -> None:
    (nut / "test" / "good" / "1.png").write_bytes(b"broken")


def image_of_no_defect_type(nut: Path) -> None:
    save(nut / "test" / "7.png", picture(80))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (remove_mask, r"^test/crack/0.png is anomalous and has no mask"),
        (remove_image, r"^ground_truth/crack/0_mask.png is a mask without an image"),
        (two_masks, r"0_mask.png and ground_truth/crack/0.bmp are masks of one image"),
        (two_images, r"test/crack/0.png and test/crack/0.bmp differ only by their suffix"),
        (other_size, r"0_mask.png is 40 x 40 pixels, its image test/crack/0.png 32 x 32; one size"),
        (empty_mask, r"0_mask.png is empty, and its image test/crack/0.png is anomalous"),
        (mask_of_a_normal_image, r"1_mask.png marks pixels, and its image test/good/1.png is normal"),
        (jpeg_mask, r"0_mask.png: a mask is expected and the file is a JPEG, which blurs a mask"),
        (broken_image, r"^test/good/1.png: the file starts with 'broken'"),
        (
            image_of_no_defect_type,
            r"^test/7.png lies in no folder of a defect type; test/<defect type>/7.png is expected",
        ),
    ],
)
def test_labels_that_cannot_be_right(tmp_path: Path, change: Callable[[Path], None], reason: str) -> None:
    nut = mvtec_category(tmp_path / "nut")
    change(nut)
    dataset = open_dataset(str(nut))
    with pytest.raises(InputError, match=reason):
        masks(dataset.test_set("nut"))


def test_a_mask_is_true_where_half_of_the_area_is() -> None:
    mask = np.zeros((8, 8), np.bool_)
    mask[0, :2] = True  # half of the pixel
    mask[2, 2] = True  # a quarter
    assert resized_mask(mask, 4).nonzero()[0].tolist() == [0]
    assert resized_mask(mask, 4)[0, 0]
    assert resized_mask(mask, 8) is not mask
    assert np.array_equal(resized_mask(mask, 8), mask)


def test_a_small_defect_does_not_vanish() -> None:
    mask = np.zeros((4096, 1000), np.bool_)
    mask[17, 990] = True  # less than 1 / 255 of a pixel of 8 x 8
    small = resized_mask(mask, 8)
    assert np.argwhere(small).tolist() == [[0, 7]]
    assert not resized_mask(np.zeros((64, 64), np.bool_), 8).any()


@pytest.mark.parametrize("size", [(100, 37), (20, 20), (20, 300), (256, 256)])
def test_the_resized_mask_is_about_as_large(size: tuple[int, int]) -> None:
    mask = np.zeros(size, np.bool_)
    mask[: size[0] // 2, : size[1] // 2] = True
    assert resized_mask(mask, 64).mean() == pytest.approx(mask.mean(), abs=0.03)


def test_normal_pictures(tmp_path: Path) -> None:
    save(tmp_path / "a.png", picture(200))
    save(tmp_path / "c.png", picture(100)[..., 0])  # grey
    save(tmp_path / "d.png", picture(60, side=64))
    (tmp_path / "b.png").write_bytes(b"broken")
    paths = ("a.png", "b.png", "c.png", "d.png")
    steps: list[tuple[int, int]] = []
    normals = NormalPictures(
        Pictures(paths, lambda path: (tmp_path / path).read_bytes()),
        SIDE,
        lambda *step: steps.append(step),
        on_bad_image="skip",
    )
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert normals.paths == ["a.png", "c.png", "d.png"]
    assert [file.path for file in normals.rejected] == ["b.png"]
    for _ in range(2):
        batches = list(normals.batches(2))
        assert [tuple(batch.shape) for batch in batches] == [(2, 3, SIDE, SIDE), (1, 3, SIDE, SIDE)]
        assert np.array_equal(np.rint(255 * batches[0][0].numpy().transpose(1, 2, 0)), picture(200))
        assert np.array_equal(np.rint(255 * batches[0][1].numpy().transpose(1, 2, 0)), picture(100))
    shutil.rmtree(tmp_path)
    assert len(list(normals.batches(3))) == 1  # out of memory
    with pytest.raises(InputError, match=r"none of the 1 normal images can be used; the first: b.png: "):
        NormalPictures(Pictures(("b.png",), lambda _: b"broken"), SIDE, on_bad_image="skip")
    with pytest.raises(
        InputError, match=r"^b.png: the file starts .* or leave it out by --on-bad-image skip$"
    ):
        NormalPictures(Pictures(("b.png",), lambda _: b"broken"), SIDE)


def test_normal_pictures_of_16_bits_have_one_range(tmp_path: Path) -> None:
    deep = [picture(level)[..., 0].astype(np.uint16) * 16 for level in (200, 100)]
    for name, pixels in zip(("a.tif", "c.tif"), deep, strict=True):
        Image.fromarray(pixels).save(tmp_path / name)
    save(tmp_path / "b.png", picture(60))
    normals = NormalPictures(
        Pictures(("a.tif", "b.png", "c.tif"), lambda path: (tmp_path / path).read_bytes()), SIDE
    )
    low, high = 16 * BACKGROUND, 16 * 200
    assert normals.depth16 == (low, high)
    for _ in range(2):
        (batch,) = normals.batches(3)
        scaled = np.rint(255 * batch[:, 0].numpy())
        assert [round(float(each[PATCH].mean())) for each in scaled] == [255, 60, round(255 * 60 / 160)]
        assert [int(each[0, 0]) for each in scaled] == [0, BACKGROUND, 0]


def test_a_test_image_of_16_bits_needs_the_range_of_the_detector(tmp_path: Path) -> None:
    nut = mvtec_category(tmp_path / "nut")
    (nut / "test" / "good" / "0.png").unlink()
    Image.fromarray(picture(80)[..., 0].astype(np.uint16) * 16).save(nut / "test" / "good" / "0.tif")
    test_set = open_dataset(str(nut)).test_set("nut")
    deep = next(image for image in test_set.images if image.path.endswith(".tif"))
    assert [test_set.truth(image, SIDE).is_deep for image in test_set.images] == [
        image is deep for image in test_set.images
    ]
    with pytest.raises(
        InputError, match=r"^test/good/0.tif: the image has 16 bits, and the detector is fitted"
    ):
        test_set.image(deep, SIDE)
    ranged = replace(test_set, depth16=(0, 4080))
    assert np.array_equal(ranged.image(deep, SIDE), picture(80))


@pytest.fixture(scope="module")
def judging_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve samples of the three held-out images of a source of ten."""
    return make_shards(tmp_path_factory.mktemp("judging"), 12, "held-out")


def opened(url: Path) -> LabelledDataset:
    return open_dataset(str(url))


def test_shards(judging_shards: Path) -> None:
    dataset = opened(judging_shards)
    assert (dataset.layout, list(dataset.categories())) == ("shards", ["waves"])
    test_set = dataset.test_set("waves")
    assert len(test_set.images) == 12
    assert {image.defect_type for image in test_set.images if image.anomalous} <= {"cutpaste", "smoothblend"}
    assert {image.defect_type for image in test_set.images if not image.anomalous} == {"normal"}
    assert [count > 0 for count in masks(test_set, 64)] == [image.anomalous for image in test_set.images]
    normals = dataset.normals("waves")
    fitted = NormalPictures(normals, 64)
    assert len(fitted) == 7
    judged = {image.normal_sha256 for image in test_set.images}
    assert not judged & set(fitted.sha256s)
    assert len(judged) == 3


@pytest.mark.parametrize("has_moved", [False, True])
def test_a_detector_of_tiles_is_fitted_on_tiles(has_moved: bool, tmp_path: Path) -> None:
    """Eight of each picture, parts of it at its own resolution, under the sha256 of the picture's file."""
    shards = make_shards(tmp_path / "made", 12, "held-out", size=[32, 32], resize="tile")
    (tmp_path / "waves").symlink_to(tmp_path / "made/waves")
    if has_moved:
        (tmp_path / "waves").unlink()
        (tmp_path / "made/waves").rename(tmp_path / "waves")
    dataset = open_dataset(str(shards), source=str(tmp_path / "waves") if has_moved else None)
    assert masks(dataset.test_set("waves"), 32)
    fitted = NormalPictures(dataset.normals("waves"), 32)
    assert len(fitted) == 7 * 8
    assert len(set(fitted.sha256s)) == 7
    [tiles] = fitted.batches(56)
    for path, digest, tile in zip(fitted.paths, fitted.sha256s, tiles, strict=True):
        file = tmp_path / "waves" / path.partition("#")[0]
        assert sha256(file.read_bytes()).hexdigest() == digest
        windows = sliding_window_view(np.asarray(Image.open(file)), (32, 32, 3))[:, :, 0]
        pixels = np.rint(255 * tile.numpy().transpose(1, 2, 0))
        assert (windows == pixels).all(axis=(2, 3, 4)).sum() == 1
    assert len({tile.numpy().tobytes() for tile in tiles}) > 50


def test_samples_of_images_that_are_fitted_on_are_not_judged(tmp_path: Path) -> None:
    of_all = make_shards(tmp_path / "all", 20, "all")
    test_set = opened(of_all).test_set("waves")
    assert len(test_set.images) == 6
    assert not {image.normal_sha256 for image in test_set.images} & set(
        NormalPictures(opened(of_all).normals("waves"), 64).sha256s
    )
    of_train = make_shards(tmp_path / "train", 8, "train")
    with pytest.raises(InputError, match=r"no sample is of a held-out image.*--set split=held-out"):
        opened(of_train).categories()


def test_shards_without_pairs_and_with_damaged_facts(judging_shards: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(judging_shards, tmp_path / "copy"))
    anomalous = next(image for image in opened(copy).test_set("waves").images if image.anomalous)
    key = anomalous.path.rpartition("/")[2].partition(".")[0]
    rewrite(copy, int(key) // 8, edit_facts(key, paired=False))
    changed = next(image for image in opened(copy).test_set("waves").images if image.path == anomalous.path)
    assert (changed.mask, changed.paired, changed.anomalous) == (None, False, True)
    tar = copy / "000001.tar"
    tar.write_bytes(tar.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"000001.tar: the facts of sample 0 cannot be read"):
        opened(copy).test_set("waves")


@pytest.mark.needs_data
def test_the_development_data(data: Path) -> None:
    bottle = open_dataset(str(data / "data/mvtec")).test_set("bottle")
    assert len(bottle.images) == 83
    assert sum(image.anomalous for image in bottle.images) == 63
    tiles = open_dataset(str(data / "data/magnetic_tile")).test_set("magnetic_tile")
    assert len(tiles.images) == 220
    assert sum(image.anomalous for image in tiles.images) == 160
    assert all(
        (count > 0) == image.anomalous for count, image in zip(masks(tiles, 64), tiles.images, strict=True)
    )


def test_images_for_several_passes_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test_set = open_dataset(str(mvtec_category(tmp_path / "nut"))).test_set("nut")
    first = [test_set.image(image, SIDE) for image in test_set.images]
    decoded: list[bytes] = []

    def watched(data: bytes) -> Decoded:
        decoded.append(data)
        return decode(data)

    monkeypatch.setattr(test_set_module, "decode", watched)
    keeping = test_set.keeping_images()
    for _ in range(3):
        assert np.array_equal([keeping.image(image, SIDE) for image in keeping.images], first)
    assert len(decoded) == len(first) == 4
    assert keeping.image(keeping.images[0], 2 * SIDE).shape == (2 * SIDE, 2 * SIDE, 3)


def test_a_test_set_that_is_not_told_to_keep_images_reads_them_again(tmp_path: Path) -> None:
    mvtec_category(tmp_path / "nut")
    test_set = open_dataset(str(tmp_path / "nut")).test_set("nut")
    before = test_set.image(test_set.images[0], SIDE)
    save(tmp_path / "nut" / test_set.images[0].path.removeprefix("nut/"), picture(7))
    assert not np.array_equal(test_set.image(test_set.images[0], SIDE), before)
