"""What the command says of itself."""

import subprocess
import sys
import tomllib

import pytest

from synthgen.cli.main import main
from tests.conftest import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def test_the_version_is_that_of_the_installed_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out == f"synthgen {PROJECT['version']}\n"


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "synthgen", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == f"synthgen {PROJECT['version']}\n"


def test_nothing_tells_to_install_the_package_of_another_author() -> None:
    """`synthgen` on PyPI is not this project."""
    assert PROJECT["name"] == "synthgen-anomaly"
    for path in [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("docker/*")]:
        assert "pip install synthgen" not in path.read_text(), path
        assert "install 'synthgen[" not in path.read_text(), path
