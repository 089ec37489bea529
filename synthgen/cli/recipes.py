"""Commands about recipes: init, check, plan, preview."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from synthgen.cli.arguments import Commands, add_normal, command, path, positive
from synthgen.cli.sources import opened
from synthgen.errors import InputError

if TYPE_CHECKING:
    from synthgen.recipe.recipe import Recipe


def add(commands: Commands) -> None:
    """Add the commands."""
    first = command(commands, "init", "write a commented recipe for a folder of good images", init)
    first.add_argument("folder", type=path, help="folder or URL of the images")
    add_normal(first)
    first.add_argument(
        "--out", type=path, default="recipe.yaml", help="the recipe to write (default: %(default)s)"
    )

    recipe_command(commands, "check", "validate a recipe and print what it would make", check)

    frozen = recipe_command(commands, "plan", "freeze a recipe and print the plan as JSON", plan)
    frozen.add_argument("--out", type=path, help="write the plan to this file instead")

    drawn = recipe_command(
        commands, "preview", "draw a sheet of samples: normal, anomalous, mask, change", preview
    )
    drawn.add_argument("-n", type=positive, default=15, help="samples on the sheet (default: %(default)s)")
    drawn.add_argument(
        "--out", type=path, default="sheet.png", help="the PNG to write (default: %(default)s)"
    )
    drawn.add_argument(
        "--contact", action="store_true", help="a dense sheet, anomalous images only, spread over the methods"
    )


def recipe_command(
    commands: Commands, name: str, does: str, run: Callable[[Namespace], int]
) -> ArgumentParser:
    """Add a command that takes a recipe and what is different in it."""
    added = command(commands, name, does, run)
    added.add_argument("recipe", type=path, help="path of a recipe, or the name of a shipped one")
    added.add_argument(
        "--source", type=path, help="take the normal images from here; the layout is recognised"
    )
    add_normal(added)
    added.add_argument("--count", type=positive, help="how many samples")
    added.add_argument("--seed", type=int, help="another seed, other samples")
    added.add_argument(
        "--set", action="append", default=[], metavar="A.B=C", help="override a field of the recipe"
    )
    return added


def chosen_recipe(options: Namespace) -> "Recipe":
    """The recipe that the options name, with their overrides."""
    from synthgen.recipe.files import load_recipe

    overrides = list(options.set)
    for field in ("count", "seed"):
        if getattr(options, field) is not None:
            overrides.append(f"{field}={getattr(options, field)}")
    recipe = load_recipe(options.recipe, overrides)
    place = options.source or (options.normal and getattr(recipe.source, "path", None))
    if options.normal and not place:
        raise InputError(
            f"--normal: the recipe's source ({recipe.source.kind}) has no folders; give --source FOLDER too"
        )
    return recipe.model_copy(update={"source": opened(place, normal=options.normal)}) if place else recipe


def init(options: Namespace) -> int:
    """Write a commented recipe for a folder."""
    from synthgen.cli.progress import bars, print_notes
    from synthgen.pipeline.look_alikes import find_look_alikes
    from synthgen.recipe.first_recipe import write_recipe

    source = opened(options.folder, normal=options.normal)
    recipe = write_recipe(
        options.folder,
        options.out,
        source,
        lambda note: print_notes([note]),
        bars,
        compare=find_look_alikes,
    )
    print(f"{options.out}: {recipe.count} samples from {options.folder}; look at it, then:")
    print(f"  synthgen preview {options.out} --out sheet.png")
    print(f"  synthgen generate {options.out} --out {recipe.name}-shards")
    return 0


def check(options: Namespace) -> int:
    """Validate a recipe and print what it would make."""
    recipe = chosen_recipe(options)
    from synthgen.cli.progress import bars
    from synthgen.pipeline.forecast import forecast

    print(forecast(recipe, progress=bars))
    return 0


def plan(options: Namespace) -> int:
    """Print or write the plan."""
    recipe = chosen_recipe(options)
    from synthgen.cli.progress import bars
    from synthgen.pipeline.freeze import freeze
    from synthgen.storage.output import write_file

    text = freeze(recipe, bars).model_dump_json(indent=2)
    if options.out:
        write_file(options.out, (text + "\n").encode())
        print(options.out)
    else:
        print(text)
    return 0


def preview(options: Namespace) -> int:
    """Draw a sheet of samples."""
    recipe = chosen_recipe(options)
    from synthgen.cli.progress import bars
    from synthgen.figures.preview import preview as draw

    draw(recipe, options.n, options.out, contact=options.contact, progress=bars)
    print(f"{options.out}: {min(options.n, recipe.count)} samples")
    return 0
