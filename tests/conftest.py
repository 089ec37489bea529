"""Shared fixtures; and the rule that data tests may be skipped only where there is no data."""

import multiprocessing.forkserver
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from synthgen.runtime.processes import one_thread

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SYNTHGEN_TEST_DATA", REPOSITORY.parent / "shared"))

WORKERS_IMPORT = ("synthgen.engines.local", "server.workers.worker", "torch", "synthgen.diffusion.model")

skipped_with_data: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def one_thread_each() -> None:
    """Small images on many threads only make them wait for each other."""
    one_thread()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing comes out of the cache of whoever runs the tests, or goes into it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTHGEN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def workers_import_once() -> Iterator[None]:
    """The one server that forks the workers of all tests imports what any of them needs.

    Otherwise the test that happens to start it decides, and each worker of later tests that runs a network
    imports torch and diffusers for itself: five seconds of a core.
    """
    preload = multiprocessing.forkserver.set_forkserver_preload

    def preload_all(modules: list[str]) -> None:
        preload([*modules, *(module for module in WORKERS_IMPORT if module not in modules)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multiprocessing.forkserver, "set_forkserver_preload", preload_all)
        yield


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with `data/` and `weights/` for development; skips where it is missing."""
    if not (DATA / "data").is_dir():
        pytest.skip(f"no development data at {DATA}: set SYNTHGEN_TEST_DATA")
    return DATA


@pytest.fixture
def memory_folder() -> Iterator[str]:
    """The URL of an empty folder in memory."""
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.makedirs("/synthgen-test/images")
    yield "memory://synthgen-test/images"
    memory.rm("/synthgen-test", recursive=True)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and "needs_data" in report.keywords and (DATA / "data").is_dir():
        skipped_with_data.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if skipped_with_data:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say last of all what was skipped and why, so that nobody takes a skipped test for a passed one."""
    yield
    for name in skipped_with_data:
        terminalreporter.write_line(f"FAILED: {name} was skipped although the data is at {DATA}", red=True)
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    terminalreporter.section(f"{len(skipped)} skipped")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:4} skipped: {reason}")
