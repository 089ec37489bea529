"""What each command of `synthgen` does; every function takes the parsed options and returns the exit code."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.errors import InputError, RunError
from synthgen.runtime.devices import require_device

if TYPE_CHECKING:
    from synthgen.plan.plan import Plan
    from synthgen.recipe.recipe import Recipe

MAX_PREVIEW = 100
MAX_CONTACT = 1000
SAMPLES_TO_MEASURE = 24


def init(options: Namespace) -> int:
    """Write a commented recipe for a folder."""
    from synthgen.recipe.first_recipe import write_recipe

    recipe = write_recipe(options.folder, Path(options.out))
    print(f"{options.out}: {recipe.count} samples from {options.folder}; look at it, then:")
    print(f"  synthgen preview {options.out} --out sheet.png")
    print(f"  synthgen generate {options.out} --out {recipe.name}-shards")
    return 0


def check(options: Namespace) -> int:
    """Validate a recipe and print what it would make."""
    from itertools import islice

    from synthgen.pipeline.pipeline import Pipeline
    from synthgen.plan.describe import describe
    from synthgen.shards.encode import encode
    from synthgen.shards.tar import BLOCK

    plan = _frozen(_recipe(options))
    some = islice(Pipeline(plan).samples(range(plan.recipe.count)), SAMPLES_TO_MEASURE)
    sizes = [
        sum(BLOCK + -(-len(data) // BLOCK) * BLOCK for data in encode(sample, plan.recipe.output).values())
        for sample in some
    ]
    print(describe(plan, sum(sizes) / len(sizes)))
    return 0


def plan(options: Namespace) -> int:
    """Print or write the plan."""
    text = _frozen(_recipe(options)).model_dump_json(indent=2)
    if options.out:
        write_file(options.out, (text + "\n").encode())
        print(options.out)
    else:
        print(text)
    return 0


def preview(options: Namespace) -> int:
    """Draw a sheet of samples."""
    from synthgen.figures.preview import contact_sheet, save, sheet
    from synthgen.pipeline.pipeline import Pipeline

    most = MAX_CONTACT if options.contact else MAX_PREVIEW
    if options.n > most:
        raise InputError(f"-n {options.n}: at most {most} samples are looked at")
    plan = _frozen(_recipe(options))
    samples = list(Pipeline(plan).samples(range(min(options.n, plan.recipe.count))))
    draw = contact_sheet if options.contact else sheet
    save(draw(samples, plan.recipe.name), Path(options.out))
    print(f"{options.out}: {len(samples)} samples")
    return 0


def generate(options: Namespace) -> int:
    """Write the shards of a recipe."""
    from synthgen.cli.progress import follow
    from synthgen.engines.local import LocalEngine, start_importing
    from synthgen.engines.run import open_run
    from synthgen.shards.numbering import shard_count

    require_device(options.device)
    if options.out.startswith("memory:"):
        raise InputError(f"{options.out}: is seen by one process, and several write; give a directory or URL")
    recipe = _recipe(options)
    start_importing(recipe)
    plan = _frozen(recipe)
    _tell_rejected(plan)
    total = shard_count(plan)
    if options.shards and options.shards[-1] >= total:
        raise InputError(f"--shards {options.shards[-1]}: the recipe has {total} shards, 0 to {total - 1}")
    run = open_run(plan, options.out, options.shards)
    if run.other_versions:
        print(
            f"note: {len(run.other_versions)} shards, such as {run.other_versions[0]}, were made with other "
            "versions of the libraries; delete their marks (.json) to make them again",
            file=sys.stderr,
        )
    engine = LocalEngine(options.workers, options.device)
    missing = run.missing
    if len(missing) < len(run.shards):
        print(
            f"{len(run.shards) - len(missing)} of {len(run.shards)} shards are there already", file=sys.stderr
        )
    follow(run, engine)
    marked = len(run.marks)
    print(f"{options.out}: {marked} of {total} shards, {run.samples(sorted(run.marks))} samples")
    return 0


def verify(options: Namespace) -> int:
    """Check a directory of shards."""
    from synthgen.cli.progress import counted
    from synthgen.pipeline.paired_normals import normal_images
    from synthgen.shards.reader import open_directory, read_plan
    from synthgen.shards.verify import verify as verify_directory

    plan = read_plan(open_directory(options.directory))
    with counted("verifying", "samples") as progress:
        report = verify_directory(options.directory, normal_images(plan, options.source), progress)
    print("\n".join(report.lines()))
    return 0 if report.ok else 1


def inspect(options: Namespace) -> int:
    """Show histograms of a directory of shards."""
    from io import BytesIO

    from synthgen.figures.histograms import draw, text
    from synthgen.shards.reader import open_directory, read_marks
    from synthgen.shards.statistics import merge

    if options.out and not options.out.lower().endswith(".png"):
        raise InputError(f"{options.out}: the histograms are a PNG; give a name that ends in .png")
    marks = read_marks(open_directory(options.directory))
    if not marks:
        raise InputError(f"{options.directory}: has no finished shard yet; run `synthgen generate` first")
    statistics = merge(mark.statistics for mark in marks)
    print(text(statistics))
    if options.out:
        picture = BytesIO()
        draw(statistics, picture)
        write_file(options.out, picture.getvalue())
        print(options.out)
    return 0


def readers(options: Namespace) -> int:
    """Print code that reads a directory of shards."""
    from synthgen.shards.reader import open_directory, read_marks, read_plan
    from synthgen.shards.reader_code import reader_code

    directory = open_directory(options.directory)
    marks = read_marks(directory)
    if not marks:
        raise InputError(f"{options.directory}: has no finished shard yet; run `synthgen generate` first")
    print(reader_code(marks, read_plan(directory), options.directory.rstrip("/") + "/"))
    return 0


def replay(options: Namespace) -> int:
    """Render a stored sample again and say whether it is identical."""
    from synthgen.images import png
    from synthgen.pipeline.file_index import FileIndex
    from synthgen.pipeline.replay import replay as render
    from synthgen.shards.reader import read_sample
    from synthgen.storage.output import OutputDirectory, explained

    result = render(read_sample(options.shard, options.key), FileIndex(options.source))
    directory = OutputDirectory(options.out)
    directory.create()
    with explained(options.out):
        for name, pixels in (("png", result.image), ("mask.png", result.mask), ("normal.png", result.normal)):
            directory.write(f"{result.facts.key}.{name}", png.encode(pixels))
    what = f"{result.facts.key} ({result.facts.method}, {result.facts.outcome})"
    if not result.identical:
        raise RunError(
            f"{what}: differs from the stored sample, by up to {result.largest_difference} grey levels"
        )
    if result.lossless:
        print(f"{what}: identical")
    else:
        print(f"{what}: mask identical; the stored JPEG is within {result.largest_difference} grey levels")
    return 0


def _recipe(options: Namespace) -> "Recipe":
    """The recipe that the options name, with their overrides."""
    from synthgen.recipe.files import load_recipe

    overrides = list(options.set)
    for field in ("count", "seed"):
        if getattr(options, field) is not None:
            overrides.append(f"{field}={getattr(options, field)}")
    recipe = load_recipe(options.recipe, overrides)
    if options.source:
        from synthgen.sources.recognise import source_for

        recipe = recipe.model_copy(update={"source": source_for(options.source)})
    return recipe


def _frozen(recipe: "Recipe") -> "Plan":
    """The plan of a recipe, with a progress bar."""
    from synthgen.cli.progress import counted
    from synthgen.pipeline.freeze import freeze

    with counted("looking at the images", "images") as progress:
        return freeze(recipe, progress)


def _tell_rejected(plan: "Plan") -> None:
    from synthgen.config.document import one_line

    for file in plan.rejected[:10]:
        print(one_line(f"skipped {file.path}: {file.reason}"), file=sys.stderr)
    if len(plan.rejected) > 10:
        print(f"… and {len(plan.rejected) - 10} more; plan.json lists them all", file=sys.stderr)
    for category, rule in plan.foreground.items():
        print(f"foreground of {category}: {rule.reason or rule.kind}", file=sys.stderr)


def sdas(options: Namespace) -> int:
    """Do one of the commands below `synthgen sdas`."""
    from synthgen.cli import sdas as sdas_commands

    return int(getattr(sdas_commands, options.below)(options))


def detect(options: Namespace) -> int:
    """Do one of the commands below `synthgen detect`."""
    from synthgen.cli import detect as detect_commands

    return int(getattr(detect_commands, options.below)(options))


def evaluate(options: Namespace) -> int:
    """Measure a detector on a data set with labels."""
    from synthgen.cli.evaluate import evaluate as measure

    return measure(options)


def serve(options: Namespace) -> int:
    """Make anomalies over HTTP until stopped."""
    from synthgen.errors import require_package

    for name in ("fastapi", "uvicorn", "pydantic_settings", "prometheus_client", "multipart"):
        require_package(name, "server", "synthgen serve")
    from server.serve import run, settings_of

    settings = settings_of(options)
    if settings.device == "cuda":
        require_device("cuda")
    run(settings)
    return 0


def write_file(path: str, data: bytes) -> None:
    """Write a file that is either whole or not there."""
    from synthgen.storage.output import OutputDirectory, explained

    try:
        target = Path(path).resolve()
        if target.exists() and not target.is_file():
            raise InputError(f"{path}: is not a file; choose another --out")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    directory = OutputDirectory(str(target.parent))
    directory.create()
    with explained(path):
        directory.write(target.name, data)
