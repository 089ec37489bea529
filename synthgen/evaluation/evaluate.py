"""Measuring a detector on a data set with labels: a method, fitted with several seeds, or a fitted one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from synthgen.detectors.choice import DetectorChoice
from synthgen.errors import InputError
from synthgen.evaluation.defect_types import measure_defect_types
from synthgen.evaluation.figures import folder_name, write_pictures
from synthgen.evaluation.fit import fit_on, load_detector, read_fitted_on, read_normals
from synthgen.evaluation.labelled import open_dataset
from synthgen.evaluation.learning import recipe_of, said_of
from synthgen.evaluation.protocol import Measured, Truth, measure, predict_all, read_truth
from synthgen.evaluation.report import Category, Report, Run, run, write
from synthgen.evaluation.test_set import TOO_DEEP, LabelledDataset, NormalPictures, TestSet
from synthgen.pretraining.record import weights_named
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.progress import Stages, silent
from synthgen.runtime.versions import versions
from synthgen.sources.base import LabelledSource
from synthgen.sources.records import RejectedFile
from synthgen.sources.survey import OnBadImage
from synthgen.storage.output import OutputDirectory
from synthgen.storage.place import local_path, require_apart
from synthgen.storage.root import chosen

if TYPE_CHECKING:
    from torch import Tensor

    from synthgen.detectors.base import Detector

SEEDS = 3


def evaluate(
    detector: DetectorChoice | str | Path,
    dataset: str | Path | LabelledSource,
    out: str | Path | None = None,
    *,
    layout: str | None = None,
    source: str | Path | None = None,
    categories: Sequence[str] | None = None,
    recipe: str | Path | Recipe | None = None,
    seeds: int = SEEDS,
    device: str = "auto",
    on_bad_image: OnBadImage = "fail",
    progress: Stages = silent,
) -> Report:
    """Measure a detector in every category of a data set with labels; the report goes to ``out``, too.

    ``detector`` is a method, which is fitted on each category's normal images with the seeds 0 to
    ``seeds`` - 1, or the directory of a fitted detector. ``layout`` names the data set's layout where it is
    not to be recognised, and ``source`` where the normal images of shards lie now, if not where their plan
    found them. ``recipe`` makes the anomalies that a method learns from which does, of each category's normal
    images; without one it takes its default. A normal image that cannot be used is an InputError or, by
    ``on_bad_image``, left out. Raises InputError for what else cannot be used, before anything is fitted.
    """
    judged = _Judged.of(detector, recipe, seeds, device)
    place = str(dataset.path if isinstance(dataset, LabelledSource) else dataset)
    found = open_dataset(
        dataset if isinstance(dataset, LabelledSource) else place,
        layout,
        None if source is None else str(source),
    )
    names = chosen(categories, found.categories(), place)
    with nullcontext() if out is None else _report_directory(str(out), place) as directory:
        evaluation = _Evaluation(judged, found, directory, progress)
        # All images first: what is wrong with them is said before hours are spent on fitting.
        tests = [evaluation.read(category) for category in names]
        tests = [evaluation.with_normals(test, on_bad_image, len(tests)) for test in tests]
        report = evaluation.report([evaluation.category(test) for test in tests])
        if directory:
            write(report, directory)
    return report


@contextmanager
def _report_directory(out: str, dataset: str) -> Iterator[OutputDirectory]:
    """Where the report goes; others are kept out."""
    require_apart(out, dataset, "the data set")
    directory = OutputDirectory(out)
    directory.create()
    with directory.held(f"{out}: another evaluation is writing there; choose another --out"):
        yield directory


@dataclass(frozen=True)
class _Judged:
    """What is measured: a method that is fitted with each seed, or one detector that was fitted before."""

    choice: DetectorChoice | None
    detector: "Detector"
    """The fitted one; for a method one that knows its settings."""
    seeds: tuple[int, ...]
    """Empty for a fitted detector."""
    fitted_on: frozenset[str] | None
    recipe: Recipe | None = None
    """What makes the anomalies that a method learns from which does."""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        detector: DetectorChoice | str | Path,
        recipe: str | Path | Recipe | None,
        seeds: int,
        device: str,
    ) -> "_Judged":
        if isinstance(detector, str | Path) and (directory := local_path(detector)).is_dir():
            if recipe is not None:
                raise InputError(f"{detector}: is fitted already; leave the recipe out, or name a method")
            return cls(None, load_detector(directory, device), (), read_fitted_on(directory))
        if isinstance(detector, DetectorChoice):
            made = detector.make()
            found = recipe_of(made, recipe)
            notes = tuple(said_of(made, found, recipe))
            return cls(detector, made, tuple(range(seeds)), None, found, notes)
        from synthgen.detectors.registry import DETECTORS

        if str(detector) not in DETECTORS:
            raise InputError(
                f"{detector}: is neither a method ({', '.join(DETECTORS)}) nor a directory that "
                "`synthgen detect fit` wrote"
            )
        return cls.of(DetectorChoice(str(detector), device=device), recipe, seeds, device)

    @property
    def side(self) -> int:
        """Side of the detector's images, pixels."""
        return self.detector.settings.image_size


@dataclass(frozen=True)
class _Test:
    test_set: TestSet
    truth: Truth
    normals: NormalPictures | None = None
    """What is fitted on; none for a detector that is fitted already."""


@dataclass(frozen=True)
class _Evaluation:
    """One detector on one data set."""

    judged: _Judged
    dataset: LabelledDataset
    out: OutputDirectory | None
    progress: Stages

    def read(self, category: str) -> _Test:
        """The labels of a category. Raises InputError where the detector has seen what it is judged on."""
        test_set = self.dataset.test_set(category)
        seen = {image.normal_sha256 for image in test_set.images} & (self.judged.fitted_on or frozenset())
        if seen:
            raise InputError(
                f"{len(seen)} of the normal images that the samples of {category} are made of were fitted "
                "on; fit on the directory of shards, which leaves the held-out images out"
            )
        with self.progress(f"reading labels of {category}", "images") as report:
            return _Test(test_set, read_truth(test_set, self.judged.side, report))

    def with_normals(self, test: _Test, on_bad_image: OnBadImage, sharing: int) -> _Test:
        """Read what is to be fitted on. Raises InputError where the test images have other bits than that."""
        category, judged = test.test_set.category, self.judged
        normals, depth16 = None, judged.detector.depth16
        if judged.choice:
            normals = read_normals(
                self.dataset.normals(category),
                judged.detector,
                f"normal images of {category}",
                self.progress,
                on_bad_image=on_bad_image,
                sharing=sharing,
            )
            depth16 = normals.depth16
        if test.truth.deep and depth16 is None:
            raise InputError(f"{test.truth.deep[0]}: {TOO_DEEP}")
        return _Test(replace(test.test_set, depth16=depth16), test.truth, normals)

    def category(self, test: _Test) -> Category:
        """Everything that is measured in one category."""
        test = replace(test, test_set=test.test_set.keeping_images())
        category, judged = test.test_set.category, self.judged
        fitted_on, count = judged.fitted_on, None
        rejected: list[RejectedFile] = []
        more: list[str] = []
        runs: list[Run] = []
        normals = test.normals
        if judged.choice is None or normals is None:
            runs.append(self._run(None, judged.detector, test, is_first=True))
        else:
            fitted_on, rejected, count = frozenset(normals.sha256s), normals.rejected, len(normals)
            more = [*normals.notes, *judged.notes]
            for seed in judged.seeds:
                detector = judged.choice.make()
                fit_on(detector, normals, judged.recipe, seed, category, progress=self.progress)
                more += [f"seed {seed}: {note}" for note in detector.notes]
                runs.append(self._run(seed, detector, test, is_first=seed == judged.seeds[0]))
        anomalous = int(test.truth.anomalous.sum())
        return Category(
            category=category,
            fitted_on=count,
            normal=len(test.truth.anomalous) - anomalous,
            anomalous=anomalous,
            notes=[*_notes(test, fitted_on, rejected), *more],
            runs=runs,
        )

    def _run(self, seed: int | None, detector: "Detector", test: _Test, is_first: bool) -> Run:
        """The metrics of one fitted detector; the pictures are those of the first."""
        with self.progress(f"scoring {test.test_set.category}", "images") as report:
            predictions = predict_all(detector, test.test_set, self.judged.side, report)
        if self.out and is_first:
            folder = OutputDirectory(f"{self.out.url.rstrip('/')}/{folder_name(test.test_set.category)}")
            folder.create()
            write_pictures(test.test_set, test.truth, predictions, self.judged.side, folder)
        defect_types = measure_defect_types(test.test_set, test.truth, predictions)
        companions = {name: self._measured(_Companion(detector, name), test) for name in detector.companions}
        return run(seed, measure(test.truth, predictions), defect_types, companions)

    def _measured(self, companion: "_Companion", test: _Test) -> Measured:
        what = f"scoring {test.test_set.category}, {companion.name}"
        with self.progress(what, "images") as report:
            return measure(test.truth, predict_all(companion, test.test_set, self.judged.side, report))

    def report(self, categories: Sequence[Category]) -> Report:
        """The whole."""
        detector, choice = self.judged.detector, self.judged.choice
        return Report(
            dataset=self.dataset.name,
            layout=self.dataset.layout,
            method=detector.method,
            backbone=detector.backbone.name if detector.backbone else None,
            weights=weights_named(choice.weights) if choice else "the detector's own",
            recipe=self.judged.recipe.name if self.judged.recipe else None,
            settings=detector.settings.model_dump(mode="json"),
            image_size=self.judged.side,
            versions=versions(),
            categories=list(categories),
        )


class _Companion(NamedTuple):
    """One of a detector's simpler scores, as a detector of its own."""

    detector: "Detector"
    name: str

    def predict(self, images: "Tensor") -> "tuple[Tensor, Tensor]":
        return self.detector.predict_companion(self.name, images)


def _notes(test: _Test, fitted_on: frozenset[str] | None, rejected: Sequence[RejectedFile]) -> list[str]:
    """What a reader must know of the numbers of a category."""
    notes = []
    if fitted_on is None:
        notes.append("the detector does not say which images it was fitted on")
    elif shared := sum(sha256 in fitted_on for sha256 in test.truth.sha256s):
        notes.append(f"{shared} of the test images are also among the images that were fitted on")
    if rejected:
        first = f"{rejected[0].path}: {rejected[0].reason}"
        notes.append(f"{len(rejected)} normal images could not be used for fitting, the first: {first}")
    if test.truth.anomalous.all():
        notes.append("no test image is normal, so image metrics and AUPIMO cannot be measured")
    if unpaired := sum(mask is None for mask in test.truth.masks):
        notes.append(f"{unpaired} images without labels of their pixels are left out of pixel metrics")
    return notes
