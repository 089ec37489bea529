"""`evaluate --protocol` on a small data set in VisA's layout."""

from pathlib import Path

import cv2
import pytest

from tests.cli.helpers import Run, picture
from tests.sources.roots import visa_splits


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return visa_splits(tmp_path / "visa")


def test_evaluate_takes_a_protocol_and_names_it(root: Path, run: Run, tmp_path: Path) -> None:
    for number, file in enumerate(sorted(root.rglob("*.png"))):
        pixels = picture(number, 32, 32)
        if "Masks" in file.parts:
            pixels[:] = 0
            pixels[8:16, 8:16] = 1
        cv2.imwrite(str(file), pixels)
    small = ("--set", "image_size=32", "--set", "channels=20", "--weights", "random", "--seeds", "1")
    out = tmp_path / "report"
    given = ("--categories", "pcb1", "--protocol", "2cls_highshot", "--shots", "6", "--out", out)
    done = run("evaluate", "padim", root, *given, *small)
    assert done.code == 0, done
    report = (out / "report.md").read_text()
    assert "(visa 2cls_highshot, 6 shots)" in report.splitlines()[0]
    assert '"fitted_on": 6' in (out / "report.json").read_text()


def test_a_protocol_is_for_visa(root: Path, run: Run) -> None:
    refused = run("evaluate", "padim", root, "--protocol", "1cls", "--masks", "ground_truth")
    assert refused.code == 2 and "leave one out" in refused.err
    (root / "split_csv" / "2cls_fewshot.csv").unlink()
    refused = run("evaluate", "padim", root, "--protocol", "2cls_fewshot")
    assert refused.code == 2 and "2cls_fewshot.csv cannot be read: no such file" in refused.err
