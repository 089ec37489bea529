"""Commands about detectors: detect fit, detect calibrate, detect score."""

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from synthgen.cli.arguments import (
    Commands,
    add_categories,
    add_device,
    add_normal,
    add_on_bad_image,
    add_settings,
    command,
    group,
    path,
    share_such_as,
    whole_number,
)
from synthgen.cli.sources import opened_unless_shards

if TYPE_CHECKING:
    from synthgen.detectors.choice import DetectorChoice

BACKBONES = ("efficientnet_lite0", "resnet18", "resnet34", "resnet50", "wide_resnet50_2")
"""Their names again, so that `--help` does not wait for torch."""


def add(commands: Commands) -> None:
    """Add the commands."""
    below = group(
        commands, "detect", "fit an anomaly detector on normal images, calibrate it, and score images"
    )
    fitted = command(below, "fit", "fit a detector on normal images", fit)
    fitted.add_argument(
        "method",
        help="padim, patchcore, simplenet, segmenter, realnet, cutpaste, efficientad, efficientad-small",
    )
    fitted.add_argument(
        "source",
        type=path,
        help="normal images: a folder, URL, data set, or builtin; or a directory of shards, for its plan's",
    )
    fitted.add_argument(
        "--source", dest="normals", type=path, help="where the normal images of a plan of shards lie now"
    )
    fitted.add_argument("--out", type=path, required=True, help="the detector's directory")
    fitted.add_argument(
        "--seed", type=whole_number, default=0, help="decides everything random (default: %(default)s)"
    )
    add_recipe(fitted)
    add_categories(fitted)
    add_normal(fitted)
    add_on_bad_image(fitted)
    add_detector_options(fitted)

    calibrated = command(below, "calibrate", "choose from which score on a product is NG", calibrate)
    calibrated.add_argument("directory", type=path, help="directory that detect fit wrote")
    calibrated.add_argument(
        "--normal",
        type=path,
        required=True,
        metavar="SOURCE",
        help="good products that it was not fitted on: a folder, URL, data set, or builtin; or a directory "
        "of shards, for the held-out images of its plan",
    )
    calibrated.add_argument(
        "--anomalies",
        type=path,
        metavar="RECIPE",
        help="also measure which defects are found: those that a recipe makes of these images, or the "
        "held-out samples of a directory of shards",
    )
    calibrated.add_argument(
        "--false-alarms",
        type=share_such_as("0.01"),
        default=0.01,
        help="share of the good products that may be called NG (default: %(default)s)",
    )
    add_categories(calibrated)
    add_on_bad_image(calibrated)
    add_device(calibrated)

    scored = command(below, "score", "print the score of every image as CSV: path, score, verdict", score)
    scored.add_argument("directory", type=path, help="directory that detect fit wrote")
    scored.add_argument("images", type=path, help="an image, or a folder or URL of images")
    scored.add_argument("--out", type=path, help="write the CSV to this file instead")
    scored.add_argument("--maps", type=path, help="also write each image's anomaly map here, as PATH.npy")
    add_device(scored)


def add_detector_options(added: ArgumentParser) -> None:
    """What `chosen_detector` reads."""
    add_network(added)
    added.add_argument("--teacher", type=path, help="efficientad's teacher, a .safetensors or .pth file")
    add_device(added)
    add_settings(added, "a setting of the method, such as image_size=320")


def add_network(added: ArgumentParser) -> None:
    """The frozen network that detectors look through, and its weights."""
    added.add_argument(
        "--backbone",
        choices=BACKBONES,
        help="the network whose features are looked at (default: that of the weights' file, else "
        "efficientnet_lite0)",
    )
    added.add_argument(
        "--weights",
        type=path,
        help="a .safetensors or .pth file, imagenet (installed for efficientnet_lite0, else by the Hugging "
        "Face hub) or random (default: imagenet)",
    )


def add_recipe(added: ArgumentParser) -> None:
    """The option --recipe."""
    added.add_argument(
        "--recipe",
        type=path,
        help="what makes the anomalies, of the normal images, that segmenter, realnet and cutpaste learn "
        "from: a recipe's name or file (default: the method's own)",
    )


def chosen_detector(method: str, options: Namespace) -> "DetectorChoice":
    """The detector that the options describe. Raises InputError for a method or setting that is not there."""
    from synthgen.detectors.choice import DetectorChoice

    given = {"backbone": options.backbone, "weights": options.weights}
    # As YAML, whatever characters a path has.
    teacher = [f"teacher={json.dumps(str(options.teacher))}"] if options.teacher else []
    return DetectorChoice.of(
        method,
        [*teacher, *options.set],
        device=options.device,
        **{name: value for name, value in given.items() if value},
    )


def fit(options: Namespace) -> int:
    """Fit a detector on normal images."""
    from synthgen.cli.progress import bars, print_notes, print_skipped
    from synthgen.evaluation.fit import fit_detector

    fitted = fit_detector(
        chosen_detector(options.method, options),
        opened_unless_shards(options.source, options.categories, options.normal),
        options.out,
        normals=options.normals,
        categories=options.categories,
        recipe=options.recipe,
        seed=options.seed,
        on_bad_image=options.on_bad_image or "fail",
        progress=bars,
    )
    print_skipped(fitted.rejected)
    print_notes(fitted.notes)
    print(f"{options.out}: {options.method} fitted on {fitted.images} images")
    return 0


def calibrate(options: Namespace) -> int:
    """Choose a detector's threshold, keep it in its directory, and say what it promises."""
    from synthgen.cli.progress import bars, print_notes
    from synthgen.evaluation.calibrate import calibrate as calibrate_detector

    found = calibrate_detector(
        options.directory,
        opened_unless_shards(options.normal, options.categories),
        options.anomalies,
        options.false_alarms,
        categories=options.categories,
        on_bad_image=options.on_bad_image or "fail",
        device=options.device,
        progress=bars,
    )
    print_notes(found.notes)
    print(found)
    return 0


def score(options: Namespace) -> int:
    """Write the scores and verdicts of images as CSV; RunError in the end where some could not be scored."""
    from synthgen.cli.progress import bars, print_notes, print_skipped
    from synthgen.errors import RunError
    from synthgen.evaluation.score import score as score_images
    from synthgen.storage.output import write_file

    found = score_images(
        options.directory, options.images, options.maps, device=options.device, progress=bars
    )
    if options.out:
        write_file(options.out, found.csv().encode())
        print(f"{options.out}: {len(found.scores)} scores")
    else:
        sys.stdout.write(found.csv())
    print_skipped([*found.rejected, *found.strays])
    print_notes(found.notes)
    if found.threshold:
        told = f"{found.ng} of {len(found.scores)} images are NG: their scores lie above"
        # Where the CSV itself goes to standard output, nothing else does.
        print(f"{told} {found.threshold.value:.6g}", file=None if options.out else sys.stderr)
    if found.rejected:
        total = len(found.rejected) + len(found.scores)
        raise RunError(f"{len(found.rejected)} of {total} images could not be scored; the others are written")
    return 0
