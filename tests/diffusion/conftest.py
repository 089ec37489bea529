"""Small presets, pictures and a whole training for the tests of trainings."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from synthgen.cli.main import main
from tests.cli.conftest import run
from tests.diffusion.training.trainings import (
    arguments,
    forget_accelerator,
    make_presets_small,
    write_pictures,
)

__all__ = ["run"]


@pytest.fixture
def small_presets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    make_presets_small(monkeypatch)
    yield
    forget_accelerator()


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures, of which a training sees eight."""
    return write_pictures(tmp_path_factory.mktemp("source") / "good")


@pytest.fixture(scope="session")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was let run."""
    out = tmp_path_factory.mktemp("undisturbed") / "model"
    with pytest.MonkeyPatch.context() as patch:
        make_presets_small(patch)
        with pytest.raises(SystemExit) as ended:
            main(arguments(source, out))
    assert ended.value.code == 0
    forget_accelerator()
    return out
