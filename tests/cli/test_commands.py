"""The shape of the command line: commands parse, call one public function, and print."""

import ast
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

FILES = sorted((REPOSITORY / "synthgen/cli").glob("*.py"))
LONGEST = 30


def long_functions(file: Path) -> list[str]:
    """The functions that run a command and are too long; those that only name options may be."""
    return [
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef)
        and any(argument.arg == "options" for argument in node.args.args)
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_command_is_longer_than_thirty_lines(file: Path) -> None:
    assert long_functions(file) == []


def test_a_long_command_is_found(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("def run(options):\n" + "    pass\n" * LONGEST)
    assert long_functions(tmp_path / "long.py") == ["run"]
