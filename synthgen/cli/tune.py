"""The command tune."""

from argparse import Namespace

from synthgen.cli.arguments import Commands, add_device, path, share_such_as
from synthgen.cli.recipes import chosen_recipe, recipe_command
from synthgen.runtime.extras import require_extra


def add(commands: Commands) -> None:
    """Add the command."""
    added = recipe_command(
        commands, "tune", "find the strength at which a detector finds a share of a recipe's defects", tune
    )
    added.add_argument(
        "--detectability",
        type=share_such_as("0.8"),
        required=True,
        metavar="SHARE",
        help="the share of the defects that is to be found, such as 0.8",
    )
    added.add_argument("--out", type=path, required=True, help="the recipe to write; the curve is NAME.svg")
    added.add_argument(
        "--field",
        choices=["strength", "area"],
        default="strength",
        help="what is moved (default: %(default)s, which is delta, or s for diffusion)",
    )
    added.add_argument(
        "--detector",
        default="padim",
        metavar="METHOD",
        help="a method that is fitted on normal images alone, such as patchcore (default: %(default)s)",
    )
    added.add_argument(
        "--detector-set",
        action="append",
        default=[],
        metavar="A=B",
        help="a setting of the detector, such as image_size=320",
    )
    add_device(added)


def tune(options: Namespace) -> int:
    """Tune a recipe, write it, and say what was found."""
    require_extra("report", "tuning")
    require_extra("detectors", "tuning")
    recipe = chosen_recipe(options)
    from synthgen.cli.progress import bars, print_notes, print_skipped
    from synthgen.detectors.choice import DetectorChoice
    from synthgen.validation.tune import require_place
    from synthgen.validation.tune import tune as tune_recipe

    require_place(options.out, options.recipe)
    tuned = tune_recipe(
        recipe,
        options.detectability,
        out=options.out,
        field=options.field,
        detector=DetectorChoice.of(options.detector, options.detector_set, device=options.device),
        progress=bars,
    )
    print_skipped(tuned.rejected)
    print_notes(tuned.notes)
    print(f"{options.out}: {tuned}")
    return 0
