"""Runs commands in a process where some packages are not installed; prints what each answered as JSON.

    python -m tests.cli.without_packages '[[["safetensors"], [["detect", "score", "detector", "good"]]]]'

It gets pairs of packages and commands. Each pair has a process of its own, forked from one that has imported
all public functions, and with them nothing optional.
"""

import json
import os
import sys
from collections.abc import Collection, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import synthgen
from synthgen.cli.main import main as command_line


class Without:
    """A finder of modules that finds nothing of some packages."""

    def __init__(self, finder: Any, packages: Collection[str]) -> None:
        self._finder, self._packages = finder, packages

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """What the finder finds, or None."""
        return (
            None if name.partition(".")[0] in self._packages else self._finder.find_spec(name, path, target)
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


def take_away(packages: Collection[str]) -> None:
    """Let the packages be missing, as they are where nobody has installed them."""
    loaded = {name.partition(".")[0] for name in sys.modules} & set(packages)
    assert not loaded, f"{loaded} are imported already"
    sys.meta_path[:] = [Without(finder, packages) for finder in sys.meta_path]


def answer(command: Sequence[str]) -> tuple[int, str]:
    """Exit code and standard error of a command."""
    errors = StringIO()
    try:
        with redirect_stdout(StringIO()), redirect_stderr(errors):
            command_line(command)
    except SystemExit as end:
        return int(end.code or 0), errors.getvalue()
    raise AssertionError("main returned")


def main(pairs: Sequence[tuple[Sequence[str], Sequence[Sequence[str]]]]) -> None:
    """Run every command without the packages beside it."""
    for name in synthgen.__all__:
        getattr(synthgen, name)
    for packages, commands in pairs:
        child = os.fork()
        if not child:
            take_away(packages)
            print(json.dumps([answer(command) for command in commands]), flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status == 0, packages


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
