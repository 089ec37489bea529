"""The command line: parses, runs a command, turns errors into one line and an exit code."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from synthgen.cli import detect, evaluate, generate, pretrain, recipes, sdas, serve, shards, tune, validate
from synthgen.errors import RunError, SynthgenError
from synthgen.runtime.versions import DISTRIBUTION, version_of

READER_LEFT = 141


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `synthgen`; exits with 0, 1 for a failed run, 2 for wrong usage or input.

    The code is 141, as that of other programs, where the reader of the output, such as `head`, left early.
    """
    options = parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal without UTF-8 cannot show bars and foreign names; that is no reason to fail.
        sys.stdout.reconfigure(errors="replace")
    try:
        code = options.run(options)
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        sys.exit(READER_LEFT)
    except Exception as error:
        if options.debug:
            raise
        shown = error if isinstance(error, SynthgenError) else _unexpected(error)
        print(f"synthgen: {shown}", file=sys.stderr)
        sys.exit(shown.exit_code)
    sys.exit(code)


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    root = _Parser(
        prog="synthgen",
        description="Synthetic anomalies with exact masks, from pictures of good products.",
        epilog="A first look:  synthgen preview quickstart --source path/to/good/images --out sheet.png",
    )
    root.add_argument("--version", action="version", version=f"synthgen {version_of(DISTRIBUTION)}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for subject in (recipes, generate, shards, sdas, pretrain, detect, evaluate, validate, tune, serve):
        subject.add(commands)
    return root


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"synthgen: {message}; see `{self.prog} --help`\n")


def _unexpected(error: Exception) -> SynthgenError:
    """One sentence about what no command expected."""
    from synthgen.runtime.extras import missing_extra
    from synthgen.runtime.memory import out_of_memory

    if lacking := out_of_memory(error) or missing_extra(error):
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
