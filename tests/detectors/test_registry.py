"""The table of detectors: what it refuses, and what other packages add to it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from synthgen.detectors.registry import load_detector, make_detector
from synthgen.errors import InputError, SynthgenError
from tests.conftest import REPOSITORY
from tests.detectors.methods import message


@pytest.mark.parametrize(
    ("method", "settings", "expected"),
    [
        (
            "fastflow",
            {},
            "method 'fastflow' is not known; one of padim, patchcore, simplenet, cutpaste is expected",
        ),
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


def test_a_method_that_looks_at_features_needs_a_backbone() -> None:
    with pytest.raises(InputError) as error:
        make_detector("padim", {}, None, "random", "cpu")
    assert message(error) == (
        "padim needs a backbone; one of efficientnet_lite0, resnet18, resnet34, resnet50, "
        "wide_resnet50_2 is expected"
    )


def installed(folder: Path, entry_point: str) -> None:
    """A package, with a module and an entry point, as pip would leave it in a folder."""
    module = Path(__file__).with_name("pixel_statistics.py")
    (folder / "stranger.py").write_text(module.read_text())
    information = folder / "stranger-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[synthgen.detectors]\n{entry_point}\n")


def run(code: str, packages: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(packages), str(REPOSITORY)])
    return subprocess.run(
        [sys.executable, "-c", code, str(packages / "detector")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


USE = """
import json, sys
from pathlib import Path
import torch
import synthgen.detectors.base
assert "synthgen.detectors.registry" not in sys.modules
from synthgen.detectors.registry import DETECTORS, load_detector, make_detector, save_detector
from tests.detectors.images import Images, no_progress, normal_images
found = make_detector("pixel_statistics", {"image_size": 64}, None, "imagenet", "cpu")
found.fit(Images(normal_images(3)), None, 0, no_progress)
save_detector(found, Path(sys.argv[1]))
loaded = load_detector(Path(sys.argv[1]), "cpu")
assert torch.equal(found.predict(normal_images(2))[1], loaded.predict(normal_images(2))[1])
print(json.dumps([*DETECTORS, type(loaded).__module__]))
"""


def test_another_package_adds_a_detector_and_takes_it_away_again(tmp_path: Path) -> None:
    installed(tmp_path, "pixel_statistics = stranger:PixelStatistics")
    result = run(USE, tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == [
        "padim",
        "patchcore",
        "simplenet",
        "cutpaste",
        "pixel_statistics",
        "stranger",
    ]
    with pytest.raises(InputError) as error:
        load_detector(tmp_path / "detector", "cpu")
    assert message(error) == (
        f"detector {tmp_path / 'detector'}: was fitted by the method 'pixel_statistics', which is none of "
        "padim, patchcore, simplenet, cutpaste; install the package that offers it, or fit again with one of "
        "these"
    )


def test_an_entry_point_has_the_name_of_its_method(tmp_path: Path) -> None:
    installed(tmp_path, "statistics = stranger:PixelStatistics")
    result = run("import synthgen.detectors.registry", tmp_path)
    assert result.returncode
    assert result.stderr.splitlines()[-1].endswith(
        "stranger: its entry point statistics of synthgen.detectors is of a class that is called "
        "pixel_statistics; repair or uninstall the package"
    )
