"""The command line in this process, and directories for it to work in."""

import shutil
import subprocess
from pathlib import Path

import pytest

from synthgen.cli.main import main
from tests.cli.helpers import COMMAND, RECIPE, Result, Run, write_pictures


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `synthgen` in this process."""

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        return Result(int(stopped.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: three pictures in ``good`` and a recipe for them."""
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "good")
    (tmp_path / "r.yaml").write_text(RECIPE)
    return tmp_path


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ``good``, a recipe, and its three finished shards in ``out``."""
    folder = tmp_path_factory.mktemp("made")
    write_pictures(folder / "good")
    write_pictures(folder / "others", first=50)
    (folder / "r.yaml").write_text(RECIPE.replace("count: 6", "count: 9").replace("cutpaste", "cutout"))
    subprocess.run(
        [*COMMAND, "generate", "r.yaml", "--out", "out"], cwd=folder, check=True, capture_output=True
    )
    return folder


@pytest.fixture
def copied(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ``made`` as the working directory, to be damaged."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path
