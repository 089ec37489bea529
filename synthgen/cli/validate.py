"""The command validate."""

from argparse import Namespace

from synthgen.cli.arguments import Commands, add_device, command, path, positive
from synthgen.cli.detect import add_network
from synthgen.cli.engine import add_engine, chosen_engine
from synthgen.errors import InputError

TILES_FROM = 32
"""Side of the smallest image that a detector looks at, pixels."""
OPTIONS = (
    "real",
    "category",
    "budget",
    "seeds",
    "tile",
    "parts",
    "backbone",
    "weights",
    "device",
    "workers",
)
"""What is handed on as it is."""


def add(commands: Commands) -> None:
    """Add the command."""
    added = command(
        commands, "validate", "which recipe is worth training on: compare them by detectors", validate
    )
    added.add_argument("recipes", nargs="*", type=path, metavar="RECIPE", help="recipes, as names or files")
    added.add_argument("--source", type=path, help="pictures of good products: a folder, a URL, or builtin")
    added.add_argument(
        "--real", type=path, metavar="DATASET", help="a data set with real defects to judge by"
    )
    added.add_argument("--category", help="the product, where the source or the data set holds several")
    added.add_argument(
        "--budget",
        choices=["quick", "standard", "full"],
        default="standard",
        help="how much work: minutes, 40 minutes, or hours with a second learner (default: %(default)s)",
    )
    added.add_argument("--seeds", type=positive, help="how often each detector is fitted (default: 1, 3, 5)")
    added.add_argument("--tile", type=positive, metavar="SIDE", help="cut pictures into tiles of this side")
    added.add_argument(
        "--parts",
        metavar="REGEX",
        help="finds in a path which physical part it shows; its pictures stay on one side of the split",
    )
    added.add_argument("--workers", type=positive, help="processes (default: one for each core)")
    add_engine(added)
    added.add_argument("--out", type=path, help="directory for the report (HTML, Markdown, JSON)")
    added.add_argument(
        "--compare", nargs=2, type=path, metavar="REPORT", help="compare two reports that are there instead"
    )
    add_network(added)
    add_device(added)


def validate(options: Namespace) -> int:
    """Compare recipes, write the report, and print the answer; or compare two reports."""
    if options.compare:
        return _compare(options)
    _require(options)
    from synthgen.cli.progress import bars
    from synthgen.runtime.extras import require_extra

    require_extra("detectors", "a validation")
    require_extra("report", "a validation")
    from synthgen.validation.page import summary
    from synthgen.validation.validate import validate as run

    chosen = {name: value for name in OPTIONS if (value := getattr(options, name)) is not None}
    engine = chosen_engine(options)
    report = run(options.recipes, options.source, options.out, **chosen, engine=engine, progress=bars)
    print(summary(report))
    print(f"\nreport  {options.out}/report.html")
    return 0


def _require(options: Namespace) -> None:
    """Raise InputError where something is missing that only a comparison of reports does without."""
    for given, what in (
        (options.recipes, "a recipe, by name or file"),
        (options.source, "--source"),
        (options.out, "--out"),
    ):
        if not given:
            raise InputError(f"validate expects {what}; see `synthgen validate --help`")
    if options.tile is not None and options.tile < TILES_FROM:
        raise InputError(f"--tile {options.tile}: {TILES_FROM} pixels or more are expected")


def _compare(options: Namespace) -> int:
    if options.recipes or options.source or options.out:
        raise InputError("--compare takes two directories of reports and nothing else")
    from synthgen.validation.compare import compare

    print(compare(*options.compare))
    return 0
