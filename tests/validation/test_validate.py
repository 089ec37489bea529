"""A whole validation: one report however it is made, numbers that others agree with, one line for errors."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from synthgen.errors import InputError
from synthgen.runtime.progress import silent
from synthgen.validation.cell import Cell
from synthgen.validation.entrants import Network
from synthgen.validation.report import ValidationReport
from synthgen.validation.setting import Setting, look, named_recipes
from synthgen.validation.validate import validate
from tests.evaluation.sets import save

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("tiny_budgets")]

RECIPES = ["cutpaste", "cutout"]


def run(product: Path, out: Path, **options: Any) -> ValidationReport:
    wanted = {"real": product, "budget": "quick", "workers": 1, "device": "cpu", **options}
    recipes = wanted.pop("recipes", RECIPES)
    return validate(recipes, product / "stripes" / "train" / "good", out, **wanted)


@pytest.fixture(scope="module")
def made(product: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from synthgen.validation import protocol
    from tests.validation.conftest import SIDE, TINY

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(protocol.BUDGETS, "quick", TINY)
        patch.setattr("synthgen.validation.product.IMAGE_SIZE", SIDE)
        out = tmp_path_factory.mktemp("made") / "report"
        run(product, out)
    return out


def report_of(out: Path) -> ValidationReport:
    return ValidationReport.model_validate_json((out / "report.json").read_bytes())


def lasting(out: Path) -> dict[str, Any]:
    """The report without what another run takes another time for."""
    found = json.loads((out / "report.json").read_bytes())
    for field in ("seconds", "memory"):
        found.pop(field)
    for row in found["rows"]:
        row.pop("seconds")
    return found


def test_every_entrant_has_a_row_with_all_outcomes(made: Path) -> None:
    report = report_of(made)
    assert [(row.name, row.role, row.learner) for row in report.rows] == [
        ("PaDiM", "reference", "padim"),
        ("PatchCore", "reference", "patchcore"),
        ("feature distance", "reference", "feature distance"),
        ("feature noise", "reference", "segmenter"),
        ("cutpaste", "recipe", "segmenter"),
        ("cutout", "recipe", "segmenter"),
        ("perlin-texture", "reference", "segmenter"),
        ("nothing pasted", "control", "segmenter"),
    ]
    for row in report.rows:
        pixels = {"pixel_ap", "aupro", "aupimo"} if row.learner != "feature distance" else set()
        assert set(row.real) == {"image_auroc", "recall"} | pixels
    assert (report.normals, report.held_out, report.real_normal, report.real_anomalous) == (12, 4, 6, 8)


def test_the_values_are_those_of_the_cells(made: Path) -> None:
    cells = [Cell.model_validate_json(path.read_bytes()) for path in sorted((made / "cells").iterdir())]
    assert len(cells) == 6 * 2 + 2  # PaDiM and the feature distance draw nothing
    labels = np.arange(14) >= 6  # good before spot
    for row in report_of(made).rows:
        of_row = [cell for cell in cells if (cell.entrant, cell.learner) == (row.name, row.learner)]
        aurocs = [roc_auc_score(labels, cell.real) for cell in of_row]
        assert row.real["image_auroc"].value == pytest.approx(np.mean(aurocs))
        spread = np.std(aurocs, ddof=1) if len(aurocs) > 1 else 0
        assert row.real["image_auroc"].of_seeds == pytest.approx(spread)
        recalls = [(cell.real[6:] > cell.held_out.max()).mean() for cell in of_row]
        assert row.real["recall"].value == pytest.approx(np.mean(recalls))


def test_the_transfer_matrix_is_that_of_the_cells(made: Path) -> None:
    report = report_of(made)
    transfer = report.transfer
    assert transfer
    cell = Cell.model_validate_json((made / "cells" / "segmenter.cutout.0.json").read_bytes())
    other = Cell.model_validate_json((made / "cells" / "segmenter.cutout.1.json").read_bytes())
    row = transfer.learned.index("cutout")
    for column, judged in enumerate(transfer.judged):
        labels = np.arange(4 + 8) >= 4
        expected = [
            roc_auc_score(labels, np.concatenate([each.held_out, each.judged[judged].scores]))
            for each in (cell, other)
        ]
        assert transfer.image_auroc[row][column] == pytest.approx(np.mean(expected))


def test_what_is_beyond_normal_is_told_of_recipes_and_of_the_control(made: Path) -> None:
    report = report_of(made)
    shares = {found.recipe: found.abnormal.share for found in report.sets}
    assert shares["cutout"] > 0.8  # grey boxes on stripes
    assert shares["cutout"] > shares["cutpaste"]
    predicted = [found for found in report.predictions if found.by.startswith("share beyond normal")]
    assert [found.chosen for found in predicted] == [max(shares, key=lambda name: shares[name])] * 2
    assert report.real_abnormal
    assert report.real_abnormal.share > 0.8  # dark spots
    [control, promise] = [note for note in report.notes if "good product" in note or "Beyond" in note]
    measured, right = re.findall(r"[0-9.]+%", control)
    assert float(measured[:-1]) <= 20
    assert right == "20.0%"
    assert promise.startswith("With 4 held-out images more looks normal than is: so that at least 80.0%")
    assert "38 held-out images would tell" in promise
    assert not any("look like good products" in sentence for sentence in report.recommendation)


def test_two_processes_come_to_the_same_report(made: Path, product: Path, tmp_path: Path) -> None:
    run(product, tmp_path / "two", workers=2)
    assert lasting(tmp_path / "two") == lasting(made)


def test_a_run_that_was_killed_five_times_comes_to_the_same_report(
    made: Path, product: Path, tmp_path: Path
) -> None:
    class KilledError(Exception):
        pass

    def dies_after(count: int) -> Callable[..., Any]:
        from contextlib import contextmanager

        seen = 0

        @contextmanager
        def stages(what: str, unit: str) -> Any:
            def progress(done: int, total: int) -> None:
                nonlocal seen
                seen += unit in ("sets", "fits") and done > 0
                if seen > count:
                    raise KilledError

            yield progress

        return stages

    for count in (0, 3, 3, 4, 4):
        with pytest.raises(KilledError):
            run(product, tmp_path / "killed", progress=dies_after(count))
        assert not (tmp_path / "killed" / "report.json").exists()
    run(product, tmp_path / "killed")
    assert lasting(tmp_path / "killed") == lasting(made)


def test_a_finished_run_is_not_made_again(made: Path, product: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*") if path.is_file()}
    assert run(product, made) == report_of(made)
    after = {path: path.stat().st_mtime_ns for path in made.rglob("*") if path.is_file()}
    assert {path: time for path, time in after.items() if path.name != ".lock"} == {
        path: time for path, time in before.items() if path.name != ".lock"
    }


def test_what_only_the_work_needed_is_gone(made: Path) -> None:
    assert sorted(path.name for path in made.iterdir() if not path.name.startswith(".")) == [
        "cells",
        "pictures",
        "report.html",
        "report.json",
        "report.md",
        "run.json",
    ]


def test_without_real_defects_the_report_says_so(product: Path, tmp_path: Path) -> None:
    report = run(product, tmp_path / "out", real=None, seeds=1, recipes=["cutpaste"])
    assert not any(row.real for row in report.rows)
    assert not report.predictions
    assert {each.outcome for each in report.pairs} == {"transfer"}
    assert report.not_tested[0].startswith("No real defect was looked at")


def test_real_images_without_masks_have_image_outcomes_alone(product: Path, tmp_path: Path) -> None:
    root = tmp_path / "folders"
    for kind in ("good", "spot"):
        for path in (product / "stripes" / "test" / kind).iterdir():
            target = root / "test" / kind / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    report = run(product, tmp_path / "out", real=root, seeds=1, recipes=["cutpaste"])
    assert {outcome for row in report.rows for outcome in row.real} == {"image_auroc", "recall"}


def test_test_images_among_the_normal_ones_are_left_out_and_named(product: Path, tmp_path: Path) -> None:
    root = tmp_path / "stripes"
    for path in product.rglob("*.png"):
        target = root / path.relative_to(product)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    shared = (product / "stripes" / "train" / "good" / "03.png").read_bytes()
    (root / "stripes" / "test" / "good" / "99.png").write_bytes(shared)
    report = run(product, tmp_path / "out", real=root, seeds=1, recipes=["cutpaste"])
    assert report.real_normal == 6
    [fault] = [each for each in report.faults if each.subject == "real test images"]
    assert fault.fault == "same picture on both sides"
    assert fault.sentence.startswith("1 of 15 real test images are also among the normal images")
    assert fault.sentence.endswith("They were left out of the test.")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no recipe": ({"recipes": []}, "no recipe is given"),
    "one name twice": ({"recipes": ["nsa", "nsa"]}, "two of the recipes are called nsa"),
    "whole images": ({"recipes": ["sia"]}, "makes whole images that have no mask of their own"),
    "an unknown recipe": ({"recipes": ["nosuch"]}, "nosuch: no such file"),
    "tiles of real images": ({"tile": 32}, "--tile cuts normal pictures alone"),
    "a rule that is none": ({"parts": "("}, "no regular expression"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_used_is_refused_before_anything_is_fitted(
    product: Path, tmp_path: Path, case: str
) -> None:
    options, message = WRONG[case]
    with pytest.raises(InputError, match=message):
        run(product, tmp_path / "out", **options)
    assert not (tmp_path / "out" / "cells").exists()


def test_textures_that_changed_under_their_name_make_another_run(product: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "grey.yaml"
    recipe.write_text(
        "name: grey\ncount: 1\nsource: {kind: builtin}\n"
        f"synthesizers: [{{method: perlin-texture, textures: {tmp_path / 'textures'}}}]\n"
    )
    fingerprints = []
    for grey in (90, 90, 200):
        save(tmp_path / "textures" / "0.png", np.full((64, 64, 3), grey, np.uint8))
        found = look(str(product / "stripes" / "train" / "good"), None, None, None, None, progress=silent)
        named = named_recipes([recipe])
        setting = Setting(named, found, "quick", 1, Network(None, "imagenet", "cpu"), None)
        fingerprints.append(setting.fingerprint)
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_twelve_normal_images_are_enough_for_a_report_that_says_what_they_promise(
    product: Path, tmp_path: Path
) -> None:
    for path in sorted((product / "stripes" / "train" / "good").iterdir())[:12]:
        target = tmp_path / "twelve" / path.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    report = validate(["cutpaste"], tmp_path / "twelve", tmp_path / "out", budget="quick", workers=1)
    assert (report.normals, report.held_out) == (9, 3)
    assert report.false_alarms == 0.25
    assert any("25.0% false alarms on average" in sentence for sentence in report.protocol)
    assert any("With 3 held-out images more looks normal" in note for note in report.notes)


def test_another_runs_directory_is_refused(made: Path, product: Path) -> None:
    with pytest.raises(InputError, match="is of a validation with other recipes, images, settings"):
        run(product, made, seeds=3)


def test_a_data_set_with_too_few_defects_is_refused(product: Path, tmp_path: Path) -> None:
    root = tmp_path / "few" / "stripes"
    for path in (product / "stripes" / "test" / "good").iterdir():
        target = root / "test" / "good" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    save(root / "test" / "spot" / "0.png", np.full((64, 64, 3), 7, np.uint8))
    with pytest.raises(InputError, match="has 1 defective test images; at least 5 are expected"):
        run(product, tmp_path / "out", real=root.parent)
