"""One server for all tests that do not stop or fill it."""

from collections.abc import Iterator

import pytest

from tests.server.running import Running, running, small_settings


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with the small recipes of ``running.RECIPES`` and two workers."""
    with running(small_settings(tmp_path_factory.mktemp("server"))) as started:
        yield started
