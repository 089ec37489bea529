"""What every detector promises, a row of METHODS each: the same bits again, also from its files; what it is
given and gives has the right size and is finite; and bad input is refused in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from synthgen.detectors.common.backbones import load_backbone
from synthgen.detectors.common.feature_detector import FeatureDetector
from synthgen.detectors.registry import DETECTORS, load_detector, make_detector, save_detector
from synthgen.errors import InputError, RunError
from tests.detectors.images import SIZE, Images, normal_images
from tests.detectors.methods import METHODS, OWN, fit, fitted, looked_at, message, ready, unfitted


def test_every_method_has_a_row() -> None:
    own = {name for name, each in DETECTORS.items() if each.__module__.startswith("synthgen.")}
    assert own == set(OWN)


def test_scores_and_maps_are_as_promised(method: str) -> None:
    scores, maps = ready(method).predict(looked_at())
    assert scores.shape == (3,)
    assert maps.shape == (3, SIZE, SIZE)
    assert scores.dtype == maps.dtype == torch.float32
    assert scores.isfinite().all()
    assert maps.isfinite().all()
    assert scores[2] > scores[:2].max()


def test_the_same_seed_gives_the_same_bits_and_another_gives_others(method: str) -> None:
    first, again, other = (
        found.predict(looked_at()) for found in (ready(method), fitted(method, 0), fitted(method, 1))
    )
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert torch.equal(first[1], other[1]) != METHODS[method].random


def test_the_global_generator_is_left_alone(method: str) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fitted(method).predict(looked_at())
    assert torch.equal(torch.rand(3), expected)


def test_fitting_again_begins_anew_and_leaves_what_was_learned_alone(method: str) -> None:
    found = fitted(method)
    state = found.state
    before = {name: tensor.clone() for name, tensor in state.items()}
    first, _ = found.predict(looked_at())
    fit(found, Images(normal_images(5, seed=3)))
    other, _ = found.predict(looked_at())
    assert not torch.equal(first, other)
    assert all(torch.equal(before[name], tensor) for name, tensor in state.items())
    fit(found, Images(normal_images(6)))
    again, _ = found.predict(looked_at())
    assert torch.equal(first, again)


def test_an_image_has_its_score_in_any_batch(method: str) -> None:
    found = ready(method)
    scores, maps = found.predict(looked_at())
    for position, image in enumerate(looked_at()):
        alone, map_alone = found.predict(image[None])
        assert torch.equal(alone[0], scores[position])
        assert torch.equal(map_alone[0], maps[position])


def test_the_score_can_be_the_mean_of_the_highest_part_of_the_map(method: str) -> None:
    found = ready(method)
    sharing = unfitted(method, score_share=0.05)
    sharing.restore(found.state)
    (_, maps), (scores, same_maps) = found.predict(looked_at()), sharing.predict(looked_at())
    assert torch.equal(maps, same_maps)
    highest = np.sort(maps.double().numpy().reshape(3, -1), axis=1)[:, -205:]  # of 4096 pixels
    assert scores.numpy() == pytest.approx(highest.mean(1), rel=1e-5)


def test_no_image_has_no_score(method: str) -> None:
    scores, maps = ready(method).predict(torch.empty(0, 3, SIZE, SIZE))
    assert scores.shape == (0,)
    assert maps.shape == (0, SIZE, SIZE)


def test_what_was_learned_is_all_there_is_to_save(method: str) -> None:
    found = ready(method)
    for tensor in found.state.values():
        assert tensor.device.type == "cpu"
        assert tensor.is_contiguous()
        assert tensor.isfinite().all()
    other = unfitted(method)
    other.restore(found.state)
    for ours, theirs in zip(found.predict(looked_at()), other.predict(looked_at()), strict=True):
        assert torch.equal(ours, theirs)
    with pytest.raises((KeyError, RuntimeError)):
        other.restore({})


def test_a_saved_detector_gives_the_same_bits_without_its_first_weights(method: str, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    tensors = load_backbone("resnet18", "random", (1, 2, 3)).state_dict()
    save_file({name: tensor * 1.1 for name, tensor in tensors.items()}, weights)
    settings = {"image_size": SIZE, "smoothing": 2.0, **METHODS[method].settings}
    found = make_detector(method, settings, "resnet18", str(weights), "cpu")
    fit(found, Images(normal_images(6)))
    save_detector(found, tmp_path / "new" / "detector")
    weights.unlink()
    loaded = load_detector(tmp_path / "new" / "detector", "cpu")
    assert type(loaded) is DETECTORS[method]
    assert loaded.settings == found.settings
    for ours, theirs in zip(found.predict(looked_at()), loaded.predict(looked_at()), strict=True):
        assert torch.equal(ours, theirs)
    files = sorted(path.name for path in (tmp_path / "new" / "detector").iterdir())
    backbone = ["backbone.safetensors"] * issubclass(DETECTORS[method], FeatureDetector)
    assert files == [*backbone, "detector.json", "detector.safetensors"]


def test_a_detector_of_another_version_is_refused(method: str, tmp_path: Path) -> None:
    save_detector(ready(method), tmp_path)
    record = tmp_path / "detector.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "format_version": 2}))
    with pytest.raises(InputError, match="is not of this version") as error:
        load_detector(tmp_path, "cpu")
    assert message(error).startswith(f"detector {tmp_path}: ")


def test_no_training_images_are_refused(method: str) -> None:
    with pytest.raises(InputError) as error:
        fitted(method, images=torch.empty(0, 3, SIZE, SIZE))
    assert message(error) == (
        f"{method} has no training images; at least one normal image is expected, better 100"
    )


@pytest.mark.parametrize("count", [1, 2])
def test_few_training_images_give_finite_scores(method: str, count: int) -> None:
    scores, maps = fitted(method, images=normal_images(count)).predict(looked_at())
    assert scores.isfinite().all()
    assert maps.isfinite().all()


def test_constant_training_images_give_finite_scores(method: str) -> None:
    found = fitted(method, images=torch.full((5, 3, SIZE, SIZE), 0.5))
    scores, maps = found.predict(torch.cat([torch.full((1, 3, SIZE, SIZE), 0.5), looked_at()]))
    assert scores.isfinite().all()
    assert maps.isfinite().all()
    if METHODS[method].far_is_anomalous:
        assert scores[0] < scores[1:].min()


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(1, 3, 32, SIZE),
        torch.zeros(1, 1, SIZE, SIZE),
        torch.zeros(3, SIZE, SIZE),
        torch.zeros(1, 3, SIZE, SIZE, dtype=torch.uint8),
    ],
)
def test_images_of_another_size_or_kind_are_refused(method: str, images: Tensor) -> None:
    found = ready(method)
    for use in (found.predict, lambda batch: fit(found, Images(batch))):
        with pytest.raises(InputError) as error:
            use(images)
        assert f"{method} expects (B, 3, {SIZE}, {SIZE}) torch.float32" in message(error)


@pytest.mark.parametrize(
    ("value", "pixels"),
    [
        (torch.nan, "that are NaN or infinite"),
        (-torch.inf, "that are NaN or infinite"),
        (255, "from 0 to 255"),
        (-0.5, "from -0.5 to "),
    ],
)
def test_pixels_that_are_no_numbers_from_0_to_1_are_refused(method: str, value: float, pixels: str) -> None:
    found = ready(method)
    images = normal_images(20)
    images[18, 1, 5, 5:7] = torch.tensor([value, 0.0])
    for use in (found.predict, lambda batch: fit(found, Images(batch))):
        with pytest.raises(InputError) as error:
            use(images)
        assert message(error).startswith(f"image 18 has pixels {pixels}")
        assert message(error).endswith(f"; {method} expects numbers from 0 to 1")


class Changing(Images):
    """A source that had three images when it was asked how many."""

    def __len__(self) -> int:
        return 3


@pytest.mark.parametrize(("count", "given"), [(2, "2"), (4, "more")])
def test_a_source_that_changes_is_noticed(method: str, count: int, given: str) -> None:
    with pytest.raises(RunError) as error:
        fit(unfitted(method), Changing(normal_images(count)))
    assert message(error).startswith(f"{method} expects 3 training images and was given {given};")


def test_a_detector_that_was_not_fitted_says_so(method: str, tmp_path: Path) -> None:
    found = unfitted(method)
    with pytest.raises(RunError, match=f"{method} was not fitted"):
        found.predict(looked_at())
    with pytest.raises(RunError, match=f"{method} was not fitted"):
        save_detector(found, tmp_path)


def test_progress_is_reported_up_to_the_total(method: str) -> None:
    news: list[tuple[int, int]] = []
    fit(unfitted(method), Images(normal_images(20)), progress=lambda done, total: news.append((done, total)))
    assert news
    assert all(0 <= done <= total for done, total in news)
    assert any(done == total for done, total in news)
