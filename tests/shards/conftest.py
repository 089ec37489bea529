"""Directories of shards that several tests read, and a copy that a test may falsify."""

import shutil
from pathlib import Path

import pytest

from tests.shards.helpers import make_directory, write_normals


@pytest.fixture(scope="session")
def normals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of normal images, in colour."""
    return write_normals(tmp_path_factory.mktemp("source") / "normals")


@pytest.fixture(scope="session")
def shard_directory(tmp_path_factory: pytest.TempPathFactory, normals: Path) -> Path:
    """A finished directory: 20 samples in 3 shards, PNG, with the normal images; only to be read."""
    return make_directory(tmp_path_factory.mktemp("shards") / "out", normals, keep_normal=True)


@pytest.fixture
def shards(shard_directory: Path, tmp_path: Path) -> Path:
    """A copy of the finished directory that a test may change."""
    return Path(shutil.copytree(shard_directory, tmp_path / "shards"))
