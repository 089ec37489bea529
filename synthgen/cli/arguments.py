"""What the commands' options have in common, and what they may be: text to value, or one sentence."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = argparse.Action


MOST_DIGITS = 19


def names(text: str) -> list[str]:
    """Names, separated by commas."""
    given = [name for name in text.split(",") if name]
    if not given:
        raise argparse.ArgumentTypeError(f"expected names such as bottle,cable, found {text!r}")
    return given


def path(text: str) -> str:
    """A path or URL; not nothing."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path or URL, found nothing; is a shell variable empty?")
    return text


def folder_name(text: str) -> str:
    """The name of folders, or a glob; not nothing."""
    if not text:
        raise argparse.ArgumentTypeError("expected a folder's name or a glob, found nothing")
    return text


def share_such_as(example: str) -> Callable[[str], float]:
    """Reads a number above 0 and below 1; the example is for who gives another."""

    def share(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if not 0 < number < 1:
            raise argparse.ArgumentTypeError(
                f"expected a share above 0 and below 1, such as {example}, found {text!r}"
            )
        return number

    return share


def positive(text: str) -> int:
    """A whole number of 1 or more."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, found {text!r}")
    return number


def resource(text: str) -> float:
    """How much of a resource: 0, a part of one, or more."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 10_000 or number != round(number, 4):
        raise argparse.ArgumentTypeError(f"expected a number such as 0.5, 1 or 2, found {text!r}")
    return number


def whole_number(text: str) -> int:
    """A whole number of 0 or more."""
    if not text.isdecimal() or len(text) > MOST_DIGITS or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"expected a whole number of 0 or more, found {_shortened(text)!r}")
    return int(text)


def shard_numbers(text: str) -> list[int]:
    """Numbers and ranges of shards, ascending."""
    shards: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        is_number = first.isdecimal() and (last.isdecimal() or not last) and not part.endswith("-")
        if not is_number or max(len(first), len(last)) > MOST_DIGITS:
            raise argparse.ArgumentTypeError(
                f"expected shards such as 0-99 or 3 or 0-9,20, found {_shortened(text)!r}"
            )
        if int(last or first) - int(first) > 10**6:
            raise argparse.ArgumentTypeError(f"expected at most a million shards at once, found {part!r}")
        numbers = range(int(first), int(last or first) + 1)
        if not numbers:
            raise argparse.ArgumentTypeError(f"expected the first shard before the last, found {part!r}")
        shards.update(numbers)
    return sorted(shards)


def _shortened(text: str) -> str:
    from synthgen.config.document import shortened

    return shortened(text)


def command(
    commands: Commands,
    name: str,
    does: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    """Add a command that ``run`` carries out; it takes the parsed options and returns the exit code."""
    added = commands.add_parser(name, help=does, description=does[0].upper() + does[1:] + ".")
    added.add_argument("--debug", action="store_true", help="show the traceback of an error")
    added.set_defaults(run=run)
    return added


def group(commands: Commands, name: str, does: str) -> Commands:
    """Add a command that is nothing but the commands below it."""
    added = commands.add_parser(name, help=does, description=does[0].upper() + does[1:] + ".")
    return added.add_subparsers(dest="below", required=True, metavar="COMMAND")


def add_device(added: argparse.ArgumentParser) -> None:
    """``--device``."""
    added.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")


def add_on_bad_image(added: argparse.ArgumentParser) -> None:
    """``--on-bad-image``."""
    added.add_argument(
        "--on-bad-image",
        choices=["fail", "skip"],
        help="a normal image that cannot be used: stop, or name it and leave it out (default: fail)",
    )


def add_settings(added: argparse.ArgumentParser, does: str) -> None:
    """``--set``, which can be given several times."""
    added.add_argument("--set", action="append", default=[], metavar="A=B", help=does)


def add_normal(added: argparse.ArgumentParser) -> None:
    """``--normal``, which can be given several times."""
    added.add_argument(
        "--normal",
        type=folder_name,
        action="append",
        metavar="NAME",
        help="take good products from the folders of this name, or that match this glob, alone",
    )


def add_categories(added: argparse.ArgumentParser) -> None:
    """``--categories``."""
    added.add_argument("--categories", type=names, help="only these categories, such as bottle,cable")
