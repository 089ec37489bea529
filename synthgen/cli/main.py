"""The command line: parses, calls a command, turns errors into one line and an exit code."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from synthgen.cli.arguments import names, path, positive, seed, shard_numbers
from synthgen.errors import RunError, SynthgenError
from synthgen.runtime.memory import out_of_memory

STOPPED = 130
READER_LEFT = 141


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `synthgen`; exits with 0, 1 for a failed run, 2 for wrong usage or input, 130 after Ctrl-C.

    The code is 141, as that of other programs, where the reader of the output, such as `head`, left early.
    """
    options = parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal without UTF-8 cannot show bars and foreign names; that is no reason to fail.
        sys.stdout.reconfigure(errors="replace")
    try:
        from synthgen.cli import commands

        code = getattr(commands, options.command)(options)
        if sys.stdout:
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("synthgen: stopped; run the same command again to go on", file=sys.stderr)
        sys.exit(STOPPED)
    except BrokenPipeError:
        _discard_output()
        sys.exit(READER_LEFT)
    except Exception as error:
        if options.debug:
            raise
        told = error if isinstance(error, SynthgenError) else _unexpected(error)
        print(f"synthgen: {told}", file=sys.stderr)
        sys.exit(told.exit_code)
    sys.exit(code)


def _unexpected(error: Exception) -> RunError:
    """One sentence about what no command expected."""
    if lacking := out_of_memory(error):
        return lacking
    if isinstance(error, OSError):
        if error.filename is None:
            _discard_output()
        return RunError(f"{error.filename or 'the output'}: {error.strerror or error}")
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return RunError(f"unexpected {what}; this is a bug, and --debug shows where")


def _discard_output() -> None:
    """See that what still waits to be written does not fail once more, loudly, when Python exits."""
    with suppress(io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"synthgen: {message}; see `{self.prog} --help`\n")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    root = _Parser(
        prog="synthgen",
        description="Synthetic anomalies with exact masks, from pictures of good products.",
        epilog="A first look:  synthgen preview quickstart --source path/to/good/images --out sheet.png",
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    init = _command(commands, "init", "write a commented recipe for a folder of good images")
    init.add_argument("folder", type=path, help="folder or URL of the images")
    init.add_argument(
        "--out", type=path, default="recipe.yaml", help="the recipe to write (default: %(default)s)"
    )

    _recipe_command(commands, "check", "validate a recipe and print what it would make")

    plan = _recipe_command(commands, "plan", "freeze a recipe and print the plan as JSON")
    plan.add_argument("--out", type=path, help="write the plan to this file instead")

    preview = _recipe_command(commands, "preview", "draw a sheet of samples: normal, anomalous, mask, change")
    preview.add_argument("-n", type=positive, default=15, help="samples on the sheet (default: %(default)s)")
    preview.add_argument(
        "--out", type=path, default="sheet.png", help="the PNG to write (default: %(default)s)"
    )
    preview.add_argument(
        "--contact", action="store_true", help="a dense sheet, anomalous images only, spread over the methods"
    )

    generate = _recipe_command(commands, "generate", "write the shards of a recipe; resumes by itself")
    generate.add_argument("--out", type=path, required=True, help="output directory or URL")
    generate.add_argument("--workers", type=positive, help="processes (default: one per core)")
    generate.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    generate.add_argument("--shards", type=shard_numbers, help="make only these, such as 0-99 or 3 or 0-9,20")

    verify = _command(commands, "verify", "check sums, counts, schema, masks, and what lies outside of them")
    verify.add_argument("directory", type=path, help="directory or URL that generate wrote")
    verify.add_argument("--source", type=path, help="where the normal images lie now")

    inspect = _command(commands, "inspect", "show histograms of area, contrast, methods and positions")
    inspect.add_argument("directory", type=path, help="directory or URL that generate wrote")
    inspect.add_argument("--out", type=path, help="also draw them to this PNG")

    readers = _command(commands, "readers", "print code that reads the shards: webdataset, torch, tarfile")
    readers.add_argument("directory", type=path, help="directory or URL that generate wrote")

    replay = _command(commands, "replay", "render a stored sample again from its own record")
    replay.add_argument("shard", type=path, help="path or URL of the tar")
    replay.add_argument("key", help="the sample's key, such as 000000017")
    replay.add_argument(
        "--source",
        type=path,
        action="append",
        default=[],
        help="folder of the normal images or textures; can be given several times",
    )
    replay.add_argument(
        "--out", type=path, required=True, help="directory for the image, mask and normal image"
    )
    _sdas_commands(commands)
    _detect_commands(commands)
    _serve_command(commands)
    return root


def _sdas_commands(commands: "argparse._SubParsersAction[_Parser]") -> None:
    does = "train a diffusion model on normal images, for the sdas methods"
    group = commands.add_parser("sdas", help=does, description=does[0].upper() + does[1:] + ".")
    below = group.add_subparsers(dest="below", required=True, metavar="COMMAND")
    train = _command(below, "train", "train a diffusion model; resumes by itself")
    train.add_argument("source", type=path, help="folder or URL of normal images, or builtin")
    train.add_argument("--out", type=path, required=True, help="the model's directory")
    train.add_argument("--preset", choices=["tiny", "small", "base", "adm"], help="network (default: tiny)")
    train.add_argument("--size", type=positive, help="side of the model's images, pixels (default: 64)")
    train.add_argument("--steps", type=positive, default=5000, help="updates (default: %(default)s)")
    train.add_argument("--batch", type=positive, help="images of an update (default: the preset's)")
    train.add_argument("--categories", type=names, help="only these categories, such as bottle,cable")
    train.add_argument(
        "--init-from",
        type=path,
        metavar="PATH-OR-HUB-ID",
        help="begin with the weights of this diffusers model instead of random ones",
    )
    train.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    train.add_argument(
        "--set", action="append", default=[], metavar="A=B", help="any other setting, such as flips=both"
    )


def _detect_commands(commands: "argparse._SubParsersAction[_Parser]") -> None:
    does = "fit an anomaly detector on normal images, and score images"
    group = commands.add_parser("detect", help=does, description=does[0].upper() + does[1:] + ".")
    below = group.add_subparsers(dest="below", required=True, metavar="COMMAND")
    fit = _command(below, "fit", "fit a detector on normal images")
    fit.add_argument("method", help="padim, patchcore or simplenet")
    fit.add_argument(
        "source",
        type=path,
        help="normal images: a folder, URL, data set, or builtin; or a directory of shards, for its plan's",
    )
    fit.add_argument("--out", type=path, required=True, help="the detector's directory")
    fit.add_argument("--seed", type=seed, default=0, help="decides everything random (default: %(default)s)")
    fit.add_argument("--categories", type=names, help="only these categories, such as bottle,cable")
    _detector_options(fit)

    score = _command(below, "score", "print the score of every image as CSV: path,score")
    score.add_argument("directory", type=path, help="directory that detect fit wrote")
    score.add_argument("images", type=path, help="an image, or a folder or URL of images")
    score.add_argument("--out", type=path, help="write the CSV to this file instead")
    score.add_argument("--maps", type=path, help="also write each image's anomaly map here, as PATH.npy")
    score.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")

    evaluate = _command(commands, "evaluate", "measure a detector on a data set with labels and masks")
    evaluate.add_argument("detector", type=path, help="a method to fit, or a directory that detect fit wrote")
    evaluate.add_argument(
        "dataset",
        type=path,
        help="root of MVTec AD, MPDD, BTAD or VisA, or shards; the layout is recognised",
    )
    evaluate.add_argument(
        "--root", type=path, help="the root, where DATASET names its layout: mvtec, mpdd, btad, visa, shards"
    )
    evaluate.add_argument("--categories", type=names, help="only these categories, such as bottle,cable")
    evaluate.add_argument("--seeds", type=positive, help="fit with the seeds 0 to SEEDS - 1 (default: 3)")
    evaluate.add_argument("--out", type=path, help="directory for the report (JSON, Markdown) and pictures")
    _detector_options(evaluate)


def _serve_command(commands: "argparse._SubParsersAction[_Parser]") -> None:
    serve = _command(commands, "serve", "make anomalies over HTTP; a page at /, the API at /docs")
    serve.add_argument(
        "--recipes", type=path, help="folder of the recipes to serve (default: the shipped ones)"
    )
    serve.add_argument(
        "--model",
        type=path,
        action="append",
        dest="models",
        metavar="DIR",
        help="a diffusion model that requests may name by its folder's name; can be given several times",
    )
    serve.add_argument("--host", help="address to listen at (default: 127.0.0.1, this machine alone)")
    serve.add_argument("--port", type=int, help="port to listen at (default: 8000)")
    serve.add_argument("--device", choices=["auto", "cpu", "cuda"], help="default: auto")
    serve.add_argument("--api-key-file", type=path, help="refuse every request without the key in this file")


def _detector_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--backbone",
        choices=["resnet18", "resnet34", "resnet50", "wide_resnet50_2"],
        help="the network whose features are looked at (default: resnet18)",
    )
    command.add_argument(
        "--weights",
        type=path,
        help="a .safetensors or .pth file, imagenet (by the Hugging Face hub) or random (default: imagenet)",
    )
    command.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="A=B",
        help="a setting of the method, such as image_size=320",
    )


def _command(
    commands: "argparse._SubParsersAction[_Parser]", name: str, does: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=does, description=does[0].upper() + does[1:] + ".")
    command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return command


def _recipe_command(
    commands: "argparse._SubParsersAction[_Parser]", name: str, does: str
) -> argparse.ArgumentParser:
    command = _command(commands, name, does)
    command.add_argument("recipe", type=path, help="path of a recipe, or the name of a shipped one")
    command.add_argument(
        "--source", type=path, help="take the normal images from here; the layout is recognised"
    )
    command.add_argument("--count", type=positive, help="how many samples")
    command.add_argument("--seed", type=int, help="another seed, other samples")
    command.add_argument(
        "--set", action="append", default=[], metavar="A.B=C", help="override a field of the recipe"
    )
    return command
