"""What every detector promises: the same bits again, also from its files; and bad input in one line."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from synthgen.detectors.base import Detector
from synthgen.detectors.common.anomaly_maps import MapEnlarger
from synthgen.detectors.common.backbone import load_backbone
from synthgen.detectors.common.features import FeatureExtractor
from synthgen.detectors.registry import DETECTORS, load_detector, make_detector, save_detector
from synthgen.errors import InputError, RunError, SynthgenError
from tests.detectors.images import SIZE, Images, detector, no_progress, normal_images, with_a_spot
from tests.detectors.oracles import enlarged

SETTINGS: dict[str, dict[str, object]] = {
    "padim": {"channels": 20},
    "patchcore": {},
    "simplenet": {"schedule": "cpu", "hidden": 16},
}


def fitted(method: str, seed: int = 0, images: Tensor | None = None) -> Detector:
    result = detector(method, **SETTINGS[method])
    result.fit(Images(normal_images(6) if images is None else images), seed, no_progress)
    return result


def looked_at() -> Tensor:
    """Two normal images and one with a spot."""
    return torch.cat([normal_images(2, seed=9), with_a_spot(normal_images(1, seed=9))])


def message(error: pytest.ExceptionInfo[Any]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.fixture(params=DETECTORS)
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_same_seed_gives_the_same_bits_and_another_gives_others(method: str) -> None:
    first, again, other = (fitted(method, seed).predict(looked_at()) for seed in (0, 0, 1))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])


def test_scores_and_maps_are_as_promised(method: str) -> None:
    scores, maps = fitted(method).predict(looked_at())
    assert scores.shape == (3,)
    assert maps.shape == (3, SIZE, SIZE)
    assert scores.dtype == maps.dtype == torch.float32
    assert scores[2] > scores[:2].max()


def test_an_image_has_its_score_in_any_batch(method: str) -> None:
    found = fitted(method)
    scores, maps = found.predict(looked_at())
    for position, image in enumerate(looked_at()):
        alone, map_alone = found.predict(image[None])
        assert torch.equal(alone[0], scores[position])
        assert torch.equal(map_alone[0], maps[position])


def test_the_score_can_be_the_mean_of_the_highest_part_of_the_map(method: str) -> None:
    found = fitted(method)
    sharing = detector(method, **SETTINGS[method], score_share=0.05)
    assert found._state is not None
    sharing.restore(found._state)
    (_, maps), (scores, same_maps) = found.predict(looked_at()), sharing.predict(looked_at())
    assert torch.equal(maps, same_maps)
    highest = np.sort(maps.double().numpy().reshape(3, -1), axis=1)[:, -205:]  # of 4096 pixels
    assert scores.numpy() == pytest.approx(highest.mean(1), rel=1e-5)


def test_no_image_has_no_score(method: str) -> None:
    scores, maps = fitted(method).predict(torch.empty(0, 3, SIZE, SIZE))
    assert scores.shape == (0,)
    assert maps.shape == (0, SIZE, SIZE)


def test_the_global_generator_is_left_alone(method: str) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fitted(method).predict(looked_at())
    assert torch.equal(torch.rand(3), expected)


def test_a_saved_detector_gives_the_same_bits_without_its_first_weights(method: str, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    tensors = load_backbone("resnet18", "random", (1, 2, 3)).state_dict()
    save_file({name: tensor * 1.1 for name, tensor in tensors.items()}, weights)
    settings = {"image_size": SIZE, "smoothing": 2.0, **SETTINGS[method]}
    found = make_detector(method, settings, "resnet18", str(weights), "cpu")
    found.fit(Images(normal_images(6)), 0, no_progress)
    save_detector(found, tmp_path / "new" / "detector")
    weights.unlink()
    loaded = load_detector(tmp_path / "new" / "detector", "cpu")
    assert type(loaded) is DETECTORS[method]
    assert loaded.settings == found.settings
    for ours, theirs in zip(found.predict(looked_at()), loaded.predict(looked_at()), strict=True):
        assert torch.equal(ours, theirs)
    files = sorted(path.name for path in (tmp_path / "new" / "detector").iterdir())
    assert files == ["backbone.safetensors", "detector.json", "detector.safetensors"]


def test_a_detector_is_saved_over_another(tmp_path: Path) -> None:
    save_detector(fitted("padim"), tmp_path)
    patchcore = fitted("patchcore")
    save_detector(patchcore, tmp_path)
    save_detector(patchcore, tmp_path)
    assert load_detector(tmp_path, "cpu").method == "patchcore"


def test_an_interrupted_save_leaves_no_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fitted("padim")
    save_detector(found, tmp_path)
    replace = Path.replace

    def full(path: Path, target: Path) -> Path:
        if target.name == "backbone.safetensors":
            raise OSError(28, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RunError) as error:
        save_detector(found, tmp_path)
    assert message(error) == (
        f"detector {tmp_path}: cannot be written (No space left on device); make room or choose another place"
    )
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(InputError, match=r"has no detector\.json"):
        load_detector(tmp_path, "cpu")


def changed_record(directory: Path, **changes: object) -> None:
    path = directory / "detector.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, **changes}))


CHANGES: list[tuple[dict[str, object], str]] = [
    ({"format_version": 2}, "detector.json is not of this version (format_version: Input should be 1)"),
    ({"more": 1}, "is not of this version (more: Extra inputs are not permitted)"),
    (
        {"method": "fastflow"},
        "method 'fastflow' is not known; one of padim, patchcore, simplenet is expected",
    ),
    ({"method": "patchcore"}, "patchcore: setting channels: Extra inputs are not permitted"),
    ({"method": "patchcore", "settings": {}}, "what was learned does not fit its settings"),
    ({"settings": {"image_size": 64, "channels": 21}}, "what was learned does not fit its settings"),
    (
        {"settings": {"image_size": 1}},
        "padim: setting image_size: Input should be greater than or equal to 32",
    ),
    ({"backbone": "vgg16"}, "is not of this version (backbone: Input should be 'resnet18'"),
    ({"backbone": "resnet34"}, "tensors for resnet34's stages 1, 2, 3 are missing"),
    ({"state_sha256": "0"}, "detector.json beside it says 0; fit the detector again"),
]


@pytest.mark.parametrize(("changes", "expected"), CHANGES)
def test_a_detector_of_another_version_or_method_is_refused(
    changes: dict[str, object], expected: str, tmp_path: Path
) -> None:
    save_detector(fitted("padim"), tmp_path)
    changed_record(tmp_path, **changes)
    with pytest.raises(InputError) as error:
        load_detector(tmp_path, "cpu")
    assert expected in message(error)
    assert str(tmp_path) in message(error)


@pytest.mark.parametrize("name", ["backbone.safetensors", "detector.safetensors"])
def test_damaged_and_missing_files_are_refused(name: str, tmp_path: Path) -> None:
    save_detector(fitted("padim"), tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError) as error:
        load_detector(tmp_path, "cpu")
    assert message(error).startswith(f"{tmp_path / name}: sha256 is ")
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match="cannot be read"):
        load_detector(tmp_path, "cpu")


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    save_detector(fitted("padim"), tmp_path)
    (tmp_path / "detector.safetensors").write_bytes(b"text")
    changed_record(tmp_path, state_sha256=sha256(b"text").hexdigest())
    with pytest.raises(InputError, match="not readable"):
        load_detector(tmp_path, "cpu")


def test_what_is_no_detector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected what `synthgen detect fit` finished"):
        load_detector(tmp_path / "missing", "cpu")
    (tmp_path / "detector.json").write_text("{")
    with pytest.raises(InputError) as error:
        load_detector(tmp_path, "cpu")
    assert "is not of this version" in message(error)


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
    if method != "simplenet":  # whose discriminator knows nothing of what is far from the training's
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
    found = fitted(method)
    for use in (found.predict, lambda batch: found.fit(Images(batch), 0, no_progress)):
        with pytest.raises(InputError) as error:
            use(images)
        assert f"{method} expects (B, 3, {SIZE}, {SIZE}) torch.float32" in message(error)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_features_that_are_not_finite_are_refused(method: str, value: float) -> None:
    found = fitted(method)
    images = normal_images(20)
    images[18, 1, 5, 5] = value
    for use in (found.predict, lambda batch: found.fit(Images(batch), 0, no_progress)):
        with pytest.raises(RunError) as error:
            use(images)
        assert message(error).startswith("image 18 has features of stage ")


class Shrinking(Images):
    """A source from which an image disappears."""

    def batches(self, size: int) -> Iterator[Tensor]:
        yield self.images[1:]


def test_a_source_that_shrinks_is_noticed(method: str) -> None:
    with pytest.raises(RunError) as error:
        detector(method, **SETTINGS[method]).fit(Shrinking(normal_images(3)), 0, no_progress)
    assert f"{method} was given 2 training images and not 3" in message(error)


def test_a_detector_that_was_not_fitted_says_so(method: str, tmp_path: Path) -> None:
    found = detector(method)
    with pytest.raises(RunError, match=f"{method} was not fitted"):
        found.predict(looked_at())
    with pytest.raises(RunError, match=f"{method} was not fitted"):
        save_detector(found, tmp_path)


@pytest.mark.parametrize(
    ("method", "settings", "expected"),
    [
        ("fastflow", {}, "method 'fastflow' is not known; one of padim, patchcore, simplenet is expected"),
        ("padim", {"regularisation": 0}, "padim: setting regularisation: Input should be greater than 0"),
        (
            "patchcore",
            {"share": 1},
            "patchcore: setting share: Extra inputs are not permitted; patchcore has ",
        ),
        (
            "simplenet",
            {"schedule": "long"},
            "simplenet: setting schedule: Input should be 'published' or 'cpu'",
        ),
    ],
)
def test_unknown_methods_and_settings_are_refused(
    method: str, settings: dict[str, object], expected: str
) -> None:
    with pytest.raises(SynthgenError) as error:
        make_detector(method, settings, "resnet18", "random", "cpu")
    assert message(error).startswith(expected)


def test_progress_counts_the_images(method: str) -> None:
    told: list[tuple[int, int]] = []
    found = detector(method, **SETTINGS[method])
    found.fit(Images(normal_images(20)), 0, lambda *news: told.append(news))
    assert told[:2] == [(16, 20), (20, 20)]


def test_folded_batch_norms_change_no_features(tmp_path: Path) -> None:
    for name in ("resnet18", "resnet50"):
        tensors = load_backbone(name, "random", (1, 2, 3)).state_dict()  # type: ignore[arg-type]
        generator = torch.Generator().manual_seed(2)
        for tensor in tensors.values():
            if tensor.ndim == 1:
                tensor.uniform_(0.5, 1.5, generator=generator)
        save_file(tensors, tmp_path / "weights.safetensors")
        backbone = load_backbone(name, str(tmp_path / "weights.safetensors"), (1, 2, 3))  # type: ignore[arg-type]
        folded = FeatureExtractor(backbone, torch.device("cpu"))(normal_images(2), 0)
        for stage, values in backbone(normal_images(2)).items():
            assert torch.allclose(folded[stage], values, rtol=1e-3, atol=1e-3 * float(values.max()))


@pytest.mark.parametrize(("side", "size", "smoothing"), [(8, 64, 4.0), (7, 50, 1.5), (4, 32, 20.0)])
def test_maps_are_enlarged_and_smoothed_as_by_scipy(side: int, size: int, smoothing: float) -> None:
    values = torch.rand(2, side, side, generator=torch.Generator().manual_seed(1))
    large = MapEnlarger(side, size, smoothing, torch.device("cpu"))(values)
    for found, given in zip(large, values, strict=True):
        assert np.abs(found.numpy() - enlarged(given.double().numpy(), size, smoothing)).max() < 1e-6
