"""What the command line's options may be: text to value, or one sentence about what is wrong with it."""

import argparse


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


def positive(text: str) -> int:
    """A whole number of 1 or more."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, found {text!r}")
    return number


def seed(text: str) -> int:
    """A whole number of 0 or more."""
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"expected a whole number of 0 or more, found {text!r}")
    return int(text)


def shard_numbers(text: str) -> list[int]:
    """Numbers and ranges of shards, ascending."""
    shards: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()) or part.endswith("-"):
            raise argparse.ArgumentTypeError(f"expected shards such as 0-99 or 3 or 0-9,20, found {text!r}")
        if int(last or first) - int(first) > 10**6:
            raise argparse.ArgumentTypeError(f"expected at most a million shards at once, found {part!r}")
        numbers = range(int(first), int(last or first) + 1)
        if not numbers:
            raise argparse.ArgumentTypeError(f"expected the first shard before the last, found {part!r}")
        shards.update(numbers)
    return sorted(shards)
