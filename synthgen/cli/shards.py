"""Commands about shards: verify, inspect, readers, replay."""

from argparse import Namespace

from synthgen.cli.arguments import Commands, command, path


def add(commands: Commands) -> None:
    """Add the commands."""
    checked = command(
        commands, "verify", "check sums, counts, schema, masks, and what lies outside of them", verify
    )
    checked.add_argument("directory", type=path, help="directory or URL that generate wrote")
    checked.add_argument("--source", type=path, help="where the normal images lie now")

    seen = command(commands, "inspect", "show histograms of area, contrast, methods and positions", inspect)
    seen.add_argument("directory", type=path, help="directory or URL that generate wrote")
    seen.add_argument("--out", type=path, help="also draw them to this PNG")

    read = command(
        commands, "readers", "print code that reads the shards: webdataset, torch, tarfile", readers
    )
    read.add_argument("directory", type=path, help="directory or URL that generate wrote")

    again = command(commands, "replay", "render a stored sample again from its own record", replay)
    again.add_argument("shard", type=path, help="path or URL of the tar")
    again.add_argument("key", help="the sample's key, such as 000000017")
    again.add_argument(
        "--source",
        type=path,
        action="append",
        default=[],
        help="folder of the normal images or textures; can be given several times",
    )
    again.add_argument(
        "--out", type=path, required=True, help="directory for the image, mask and normal image"
    )


def verify(options: Namespace) -> int:
    """Check a directory of shards."""
    from synthgen.cli.progress import bars
    from synthgen.pipeline.verify import verify as check

    report = check(options.directory, options.source, progress=bars)
    print("\n".join(report.lines()))
    return 0 if report.ok else 1


def inspect(options: Namespace) -> int:
    """Show histograms of a directory of shards."""
    from synthgen.figures.histograms import save, text
    from synthgen.shards.reader import finished_marks
    from synthgen.shards.statistics import merge

    statistics = merge(mark.statistics for mark in finished_marks(options.directory))
    if options.out:
        save(statistics, options.out)
    print(text(statistics))
    if options.out:
        print(options.out)
    return 0


def readers(options: Namespace) -> int:
    """Print code that reads a directory of shards."""
    from synthgen.shards.reader import finished_marks, open_directory, read_plan
    from synthgen.shards.reader_code import reader_code
    from synthgen.storage.place import is_url, local_path

    plan = read_plan(open_directory(options.directory))
    directory = options.directory if is_url(options.directory) else str(local_path(options.directory))
    print(reader_code(finished_marks(options.directory), plan, directory.rstrip("/") + "/"))
    return 0


def replay(options: Namespace) -> int:
    """Render a stored sample again and say whether it is identical."""
    from synthgen.errors import RunError
    from synthgen.pipeline.replay import replay as render

    result = render(options.shard, options.key, options.source)
    result.write(options.out)
    if not result.identical:
        raise RunError(result.line())
    print(result.line())
    return 0
