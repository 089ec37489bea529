"""What is measured, by a detector whose scores are known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from synthgen.errors import InputError, RunError
from synthgen.evaluation import protocol
from synthgen.evaluation.defect_types import measure_defect_types
from synthgen.evaluation.labelled import open_dataset
from synthgen.evaluation.protocol import Measured, measure, predict_all, read_truth
from synthgen.evaluation.test_set import TestSet
from tests.evaluation.sets import (
    IMAGE_AUROC,
    PATCH,
    PIXEL_AUROC,
    SIDE,
    make_shards,
    mvtec_category,
    patch_mask,
    picture,
    save,
)
from tests.shards.helpers import edit_facts, rewrite


class RedLevel:
    """Scores pixels by their red level of 0 … 255, and images by the largest."""

    def predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = 255 * images[:, 0]
        return maps.amax((1, 2)), maps


class NotANumber:
    def predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(images)), torch.full((len(images), SIDE, SIDE), torch.nan)


@pytest.fixture
def nut(tmp_path: Path) -> Path:
    return mvtec_category(tmp_path / "nut")


def opened_test_set(folder: Path) -> TestSet:
    dataset = open_dataset(str(folder))
    return dataset.test_set(next(iter(dataset.categories())))


def measured(folder: Path) -> Measured:
    test_set = opened_test_set(folder)
    return measure(read_truth(test_set, SIDE), predict_all(RedLevel(), test_set, SIDE))


def test_metrics_known_by_hand(nut: Path) -> None:
    found = measured(nut)
    assert found.image is not None
    assert found.pixel is not None
    assert found.image["auroc"].value == pytest.approx(IMAGE_AUROC)
    assert found.image["average_precision"].value == pytest.approx((1 + 2 / 3) / 2)
    assert found.image["oracle_f1"].value == pytest.approx(4 / 5)
    assert found.pixel["auroc"] is not None
    assert found.pixel["auroc"].value == pytest.approx(PIXEL_AUROC)
    assert found.image["auroc"].low <= IMAGE_AUROC <= found.image["auroc"].high
    assert found.pixel["aupimo"] is not None
    assert found.pixel["aupimo"].value == pytest.approx(0.5)  # 120 is above every normal pixel, 80 is not


def test_each_defect_type_is_measured_against_all_normal_images(nut: Path) -> None:
    """The crack of 120 is above both normal images, that of 80 and a scratch of 90 above one."""
    save(nut / "test" / "scratch" / "90.png", picture(90))
    save(nut / "ground_truth" / "scratch" / "90_mask.png", patch_mask())
    test_set = opened_test_set(nut)
    predictions = predict_all(RedLevel(), test_set, SIDE)
    found = measure_defect_types(test_set, read_truth(test_set, SIDE), predictions)
    assert list(found) == ["crack", "scratch"]
    assert (found["crack"].images, found["scratch"].images) == (2, 1)
    assert found["crack"].image_auroc == pytest.approx(IMAGE_AUROC)
    assert found["crack"].pixel_auroc == pytest.approx(PIXEL_AUROC)
    assert found["scratch"].image_auroc == pytest.approx(1 / 2)
    # Above the patch of 90 there are the 64 normal pixels of level 100 alone.
    assert found["scratch"].pixel_auroc == pytest.approx(1 - 64 / (3 * 1024 - 64))
    for path in (nut / "test" / "good").iterdir():
        path.unlink()
    test_set = opened_test_set(nut)
    blind = measure_defect_types(
        test_set, read_truth(test_set, SIDE), predict_all(RedLevel(), test_set, SIDE)
    )
    assert blind["crack"].image_auroc is None
    assert blind["crack"].pixel_auroc == 1


def test_predictions_are_in_order_whatever_the_batch(nut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for level in range(130, 145):
        save(nut / "test" / "good" / f"{level}.png", picture(level))
    levels = [80, 120, 60, 100, *range(130, 145)]
    steps: list[tuple[int, int]] = []
    for batch in (1, 8):
        monkeypatch.setattr(protocol, "BATCH", batch)
        test_set = opened_test_set(nut)
        order = [image.path for image in test_set.images]
        found = predict_all(RedLevel(), test_set, SIDE, lambda *step: steps.append(step))
        expected = {f"test/good/{n}.png": n for n in range(130, 145)} | dict(zip(order, levels, strict=False))
        assert found.scores == pytest.approx([expected[path] for path in order], abs=1e-3)
        assert [round(float(scored[PATCH].min())) for scored in found.maps] == [expected[p] for p in order]
    assert steps[-3:] == [(8, 19), (16, 19), (19, 19)]


def test_nothing_anomalous(nut: Path) -> None:
    for path in (*nut.glob("test/crack/*"), *nut.glob("ground_truth/crack/*")):
        path.unlink()
    with pytest.raises(InputError, match="the test set of nut has 2 images, and none is anomalous"):
        read_truth(opened_test_set(nut), SIDE)


def test_nothing_normal(nut: Path) -> None:
    for path in nut.glob("test/good/*"):
        path.unlink()
    found = measured(nut)
    assert found.image is None
    assert found.pixel is not None
    assert found.pixel["auroc"] is not None
    assert found.pixel["auroc"].value == 1  # 40 everywhere else
    assert found.pixel["aupimo"] is None


def test_nothing_but_anomalous_pixels(nut: Path) -> None:
    for path in nut.glob("test/good/*"):
        path.unlink()
    for path in nut.glob("ground_truth/crack/*"):
        save(path, np.full((SIDE, SIDE), 255, np.uint8))
    assert measured(nut) == Measured(None, None)


def test_images_without_labels_of_their_pixels_count_as_images_only(tmp_path: Path) -> None:
    shards = make_shards(tmp_path, 8, "held-out")
    paired = opened_test_set(shards)
    first = next(n for n, image in enumerate(paired.images) if image.anomalous)
    key = paired.images[first].path.rpartition("/")[2].partition(".")[0]
    rewrite(shards, 0, edit_facts(key, paired=False))
    test_set = opened_test_set(shards)
    truth, predictions = read_truth(test_set, 64), predict_all(RedLevel(), test_set, 64)
    assert [n for n, mask in enumerate(truth.masks) if mask is None] == [first]
    assert truth.anomalous[first]

    loud = tuple(1000 + scored if n == first else scored for n, scored in enumerate(predictions.maps))
    with_loud = protocol.Predictions(predictions.scores, loud)
    assert measure(truth, predictions) == measure(truth, with_loud)
    with_pixels = read_truth(paired, 64)
    assert measure(with_pixels, predictions).pixel != measure(with_pixels, with_loud).pixel
    assert measure(with_pixels, predictions).image == measure(truth, predictions).image


def test_scores_that_are_no_numbers(nut: Path) -> None:
    with pytest.raises(RunError, match=r"^test/crack/0.png: the detector's scores are NaN or infinite"):
        predict_all(NotANumber(), opened_test_set(nut), SIDE)


def test_more_maps_than_memory(nut: Path) -> None:
    with pytest.raises(
        InputError, match=r"has 4 images, and the maps of at most 3 are kept .* 16000 x 16000"
    ):
        read_truth(opened_test_set(nut), 16_000)


def test_images_and_masks_of_another_size(nut: Path) -> None:
    large = np.repeat(np.repeat(picture(120), 4, axis=0), 4, axis=1)
    save(nut / "test" / "crack" / "1.png", large)
    save(nut / "ground_truth" / "crack" / "1_mask.png", np.kron(patch_mask(), np.ones((4, 4), np.uint8)))
    found = measured(nut)
    assert found.pixel is not None
    assert found.pixel["auroc"] is not None
    assert found.pixel["auroc"].value == pytest.approx(PIXEL_AUROC)
