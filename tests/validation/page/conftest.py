"""The reports of the tests, and Chromium to look at their pages."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from synthgen.validation.report import ValidationReport
from tests.server.page.browsing import chromium
from tests.validation.page import examples

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def real() -> ValidationReport:
    return examples.with_real_defects()


@pytest.fixture(scope="session")
def unseen() -> ValidationReport:
    return examples.without_real_defects()


@pytest.fixture(scope="session")
def quick() -> ValidationReport:
    return examples.quick()


@pytest.fixture(scope="session", params=["real", "unseen", "quick"])
def report(request: pytest.FixtureRequest) -> ValidationReport:
    """Each of the reports."""
    found: ValidationReport = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as started:
        yield started
