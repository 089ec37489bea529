"""What the command `synthgen evaluate` does."""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.cli.detect import FITTED_ON, WEIGHTS, fit_detector, new_detector, open_detector, read_normals
from synthgen.errors import InputError

if TYPE_CHECKING:
    from synthgen.detectors.base import Detector
    from synthgen.evaluation.protocol import Predictions, Truth
    from synthgen.evaluation.report import Category, Report, Run
    from synthgen.evaluation.test_set import LabelledDataset, TestSet

SEEDS = 3


def evaluate(options: Namespace) -> int:
    """Fit a method, or take a fitted detector, measure it in every category, and report."""
    from synthgen.evaluation.labelled import open_dataset
    from synthgen.evaluation.report import defect_types_table, markdown_table, write
    from synthgen.storage.output import OutputDirectory
    from synthgen.storage.root import chosen

    judged = _judged(options)
    url = options.root or options.dataset
    dataset = open_dataset(url, options.dataset if options.root else None)
    categories = chosen(options.categories, dataset.categories(), url)
    if options.out:
        OutputDirectory(options.out).create()
    # All labels first: what is wrong with them is told before hours are spent on fitting.
    tests = [_read_test(dataset, category, judged) for category in categories]
    report = _report(dataset, judged, [_measured(dataset, test, judged, options.out) for test in tests])
    print(markdown_table(report))
    print(f"\n{defect_types_table(report)}")
    for category in report.categories:
        for note in category.notes:
            print(f"note: {category.category}: {note}", file=sys.stderr)
    if options.out:
        write(report, OutputDirectory(options.out))
        print(f"{options.out}: report.md, report.json, and pictures of each category")
    return 0


@dataclass(frozen=True)
class _Judged:
    """What is measured: a method that is fitted with each seed, or one detector that was fitted before."""

    options: Namespace
    detector: "Detector"
    """The fitted one; for a method one that tells its settings."""
    seeds: tuple[int, ...]
    """Empty for a fitted detector."""
    fitted_on: frozenset[str] | None

    @property
    def side(self) -> int:
        return self.detector.settings.image_size


@dataclass(frozen=True)
class _Test:
    test_set: "TestSet"
    truth: "Truth"


def _judged(options: Namespace) -> _Judged:
    from synthgen.detectors.registry import DETECTORS

    if options.detector in DETECTORS:
        seeds = tuple(range(options.seeds or SEEDS))
        return _Judged(options, new_detector(options.detector, options), seeds, None)
    if not Path(options.detector).is_dir():
        raise InputError(
            f"{options.detector}: is neither a method ({', '.join(DETECTORS)}) nor a directory that "
            "`synthgen detect fit` wrote"
        )
    given = {name: getattr(options, name) for name in ("seeds", "backbone", "weights", "set")}
    for name, value in given.items():
        if value:
            raise InputError(
                f"--{name}: {options.detector} is fitted already; leave it out, or name a method"
            )
    detector = open_detector(options.detector, options.device)
    return _Judged(options, detector, (), _read_fitted_on(options.detector))


def _read_fitted_on(directory: str) -> frozenset[str] | None:
    """sha256 of the images that a detector was fitted on; None where its directory does not say."""
    path = Path(directory) / FITTED_ON
    try:
        return frozenset(json.loads(path.read_bytes())["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); fit the detector again") from error


def _read_test(dataset: "LabelledDataset", category: str, judged: _Judged) -> _Test:
    from synthgen.cli.progress import counted
    from synthgen.evaluation.protocol import read_truth

    test_set = dataset.test_set(category)
    seen = {image.normal_sha256 for image in test_set.images} & (judged.fitted_on or frozenset())
    if seen:
        raise InputError(
            f"{len(seen)} of the normal images that the samples of {category} are made of were fitted on; "
            "fit on the directory of shards, which leaves the held-out images out"
        )
    with counted(f"reading labels of {category}", "images") as progress:
        return _Test(test_set, read_truth(test_set, judged.side, progress))


def _measured(dataset: "LabelledDataset", test: _Test, judged: _Judged, out: str | None) -> "Category":
    from synthgen.evaluation.report import Category

    category = test.test_set.category
    fitted_on, skipped = judged.fitted_on, 0
    runs: list[Run] = []
    if not judged.seeds:
        runs.append(_run(None, judged.detector, test, judged.side, out))
        count = None
    else:
        normals = read_normals(dataset.normals(category), judged.detector, f"normal images of {category}")
        fitted_on, skipped, count = frozenset(normals.sha256s), len(normals.rejected), len(normals)
        for seed in judged.seeds:
            detector = new_detector(judged.options.detector, judged.options)
            fit_detector(detector, normals, seed, f"{detector.method} on {category}, seed {seed}")
            runs.append(_run(seed, detector, test, judged.side, out if seed == judged.seeds[0] else None))
    anomalous = int(test.truth.anomalous.sum())
    return Category(
        category=category,
        fitted_on=count,
        normal=len(test.truth.anomalous) - anomalous,
        anomalous=anomalous,
        notes=_notes(test, fitted_on, skipped),
        runs=runs,
    )


def _run(seed: int | None, detector: "Detector", test: _Test, side: int, out: str | None) -> "Run":
    """The metrics of one fitted detector, and its pictures where a directory is given."""
    from synthgen.cli.progress import counted
    from synthgen.evaluation import report
    from synthgen.evaluation.defect_types import measure_defect_types
    from synthgen.evaluation.protocol import measure, predict_all

    with counted(f"scoring {test.test_set.category}", "images") as progress:
        predictions = predict_all(detector, test.test_set, side, progress)
    if out:
        _draw(test, predictions, side, out)
    defect_types = measure_defect_types(test.test_set, test.truth, predictions)
    return report.run(seed, measure(test.truth, predictions), defect_types)


def _draw(test: _Test, predictions: "Predictions", side: int, out: str) -> None:
    from synthgen.evaluation.figures import folder_name, write_pictures
    from synthgen.storage.output import OutputDirectory

    directory = OutputDirectory(f"{out.rstrip('/')}/{folder_name(test.test_set.category)}")
    directory.create()
    write_pictures(test.test_set, test.truth, predictions, side, directory)


def _notes(test: _Test, fitted_on: frozenset[str] | None, skipped: int) -> list[str]:
    """What a reader must know of the numbers of a category."""
    notes = []
    if fitted_on is None:
        notes.append("the detector does not say which images it was fitted on")
    elif shared := sum(sha256 in fitted_on for sha256 in test.truth.sha256s):
        notes.append(f"{shared} of the test images are also among the images that were fitted on")
    if skipped:
        notes.append(f"{skipped} normal images could not be used for fitting")
    if test.truth.anomalous.all():
        notes.append("no test image is normal, so that image metrics and AUPIMO cannot be told")
    if unpaired := sum(mask is None for mask in test.truth.masks):
        notes.append(f"{unpaired} images without labels of their pixels are left out of pixel metrics")
    return notes


def _report(dataset: "LabelledDataset", judged: _Judged, categories: Sequence["Category"]) -> "Report":
    from synthgen.evaluation.report import Report
    from synthgen.runtime.versions import versions

    detector = judged.detector
    weights = Path(judged.options.weights or WEIGHTS).name if judged.seeds else "the detector's own"
    return Report(
        dataset=dataset.name,
        layout=dataset.layout,
        method=detector.method,
        backbone=detector.backbone.name if detector.backbone else None,
        weights=weights,
        settings=detector.settings.model_dump(mode="json"),
        image_size=judged.side,
        versions=versions(),
        categories=list(categories),
    )
