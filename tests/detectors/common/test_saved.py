"""A detector's directory: whole or refused, whatever happened to it."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from synthgen.detectors.base import DetectorSettings
from synthgen.detectors.registry import load_detector, save_detector
from synthgen.errors import InputError, RunError
from tests.detectors.images import SIZE, Images, no_progress, normal_images
from tests.detectors.methods import fitted, message
from tests.detectors.pixel_statistics import PixelStatistics


def test_a_detector_is_saved_over_another(tmp_path: Path) -> None:
    save_detector(fitted("padim"), tmp_path)
    patchcore = fitted("patchcore")
    save_detector(patchcore, tmp_path)
    save_detector(patchcore, tmp_path)
    assert load_detector(tmp_path, "cpu").method == "patchcore"
    without_backbone = PixelStatistics(DetectorSettings(image_size=SIZE), torch.device("cpu"))
    without_backbone.fit(Images(normal_images(2)), None, 0, no_progress)
    save_detector(without_backbone, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["detector.json", "detector.safetensors"]


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
        "was fitted by the method 'fastflow', which is none of padim, patchcore, simplenet, cutpaste; ",
    ),
    ({"method": "patchcore"}, "patchcore: setting channels: Extra inputs are not permitted"),
    ({"method": "patchcore", "settings": {}}, "what was learned does not fit its settings"),
    ({"settings": {"image_size": 64, "channels": 21}}, "what was learned does not fit its settings"),
    (
        {"settings": {"image_size": 1}},
        "padim: setting image_size: Input should be greater than or equal to 32",
    ),
    ({"backbone": "vgg16"}, "is not of this version (backbone: Input should be 'efficientnet_lite0'"),
    ({"backbone": None}, "padim needs a backbone; one of efficientnet_lite0, resnet18, "),
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
    with pytest.raises(InputError, match="expected a directory that `synthgen detect fit` finished"):
        load_detector(tmp_path / "missing", "cpu")
    (tmp_path / "detector.json").write_text("{")
    with pytest.raises(InputError) as error:
        load_detector(tmp_path, "cpu")
    assert "is not of this version" in message(error)
