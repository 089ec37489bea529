"""The command evaluate."""

import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from synthgen.cli.arguments import (
    Commands,
    add_categories,
    add_normal,
    add_on_bad_image,
    command,
    folder_name,
    path,
    positive,
)
from synthgen.cli.detect import add_detector_options, add_recipe, chosen_detector
from synthgen.errors import InputError

if TYPE_CHECKING:
    from synthgen.detectors.choice import DetectorChoice
    from synthgen.sources.base import LabelledSource


def add(commands: Commands) -> None:
    """Add the command."""
    added = command(commands, "evaluate", "measure a detector on a data set with labels and masks", evaluate)
    added.add_argument("detector", type=path, help="a method to fit, or a directory that detect fit wrote")
    added.add_argument(
        "dataset",
        type=path,
        help="root of MVTec AD, MPDD, BTAD or VisA, good pictures beside folders of defects, or shards",
    )
    added.add_argument(
        "--root",
        type=path,
        help="the root, where DATASET names its layout: mvtec, mpdd, btad, visa, folders, shards",
    )
    added.add_argument("--masks", type=folder_name, help="the folder of masks, as a name or glob")
    added.add_argument(
        "--protocol",
        choices=["1cls", "2cls_highshot", "2cls_fewshot"],
        help="a published split of VisA (default: 1cls)",
    )
    added.add_argument(
        "--shots", type=positive, help="of VisA, fit on as many normal images of each category (default: all)"
    )
    added.add_argument("--source", type=path, help="where the normal images of shards lie now")
    add_recipe(added)
    add_categories(added)
    add_normal(added)
    add_on_bad_image(added)
    added.add_argument("--seeds", type=positive, help="fit with the seeds 0 to SEEDS - 1 (default: 3)")
    added.add_argument("--out", type=path, help="directory for the report (JSON, Markdown) and pictures")
    add_detector_options(added)


def evaluate(options: Namespace) -> int:
    """Fit a method, or take a fitted detector, measure it in every category, and report."""
    from synthgen.cli.progress import bars
    from synthgen.evaluation.evaluate import SEEDS
    from synthgen.evaluation.evaluate import evaluate as measure
    from synthgen.evaluation.report import defect_types_table, markdown_table

    report = measure(
        _judged(options),
        _dataset(options),
        options.out,
        layout=options.dataset if options.root else None,
        source=options.source,
        categories=options.categories,
        recipe=options.recipe,
        seeds=options.seeds or SEEDS,
        device=options.device,
        on_bad_image=options.on_bad_image or "fail",
        progress=bars,
    )
    print(f"{markdown_table(report)}\n\n{defect_types_table(report)}")
    for category in report.categories:
        for note in category.notes:
            print(f"note: {category.category}: {note}", file=sys.stderr)
    if options.out:
        print(f"{options.out}: report.md, report.json, and pictures of each category")
    return 0


def _dataset(options: Namespace) -> "str | LabelledSource":
    """Where the data set lies; a source of folders where some are named."""
    from synthgen.sources.folders import FoldersSource
    from synthgen.sources.visa_protocol import VisaProtocol

    place = str(options.root or options.dataset)
    chosen = _given(options, "normal", "masks")
    if split := _given(options, "protocol", "shots"):
        if chosen:
            one, other = next(iter(split)), next(iter(chosen))
            raise InputError(f"--{one}: is for VisA, and --{other} for folders of pictures; leave one out")
        return VisaProtocol.model_validate({"path": place} | split)
    return FoldersSource.model_validate({"path": place} | chosen) if chosen else place


def _given(options: Namespace, *names: str) -> dict[str, Any]:
    """The options of these names that were given."""
    return {name: getattr(options, name) for name in names if getattr(options, name)}


def _judged(options: Namespace) -> "DetectorChoice | str":
    """The method that the options describe, or the directory of a fitted detector, to which none applies."""
    from synthgen.detectors.registry import DETECTORS
    from synthgen.storage.place import local_path

    if options.detector in DETECTORS:
        return chosen_detector(options.detector, options)
    for name in ("seeds", "backbone", "weights", "teacher", "set", "recipe", "on_bad_image"):
        if getattr(options, name) and local_path(options.detector).is_dir():
            option = name.replace("_", "-")
            raise InputError(
                f"--{option}: {options.detector} is fitted already; leave it out, or name a method"
            )
    return str(options.detector)
