"""The reports of validations that the service was started with."""

from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from server.api.dependencies import TheService
from server.api.openapi import bytes_of, problems
from server.http.problems import Problem
from server.settings import Settings
from synthgen.errors import InputError
from synthgen.validation.report import ValidationReport
from synthgen.validation.write import PAGE, REPORT, read_report

router = APIRouter(prefix="/v1", tags=["reports"])

HEADERS = {
    # A report carries its style and pictures in itself, and runs nothing.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class ReportEntry(BaseModel):
    """A report, and where its page is."""

    name: str = Field(description="The name of its folder.")
    product: str = Field(description="What was inspected.")
    recommendation: str = Field(description="Which recipe to train on, in a sentence.")
    href: str = Field(description="The path of its page.")


class Reports(BaseModel):
    """All reports."""

    reports: list[ReportEntry] = Field(
        description="Those below the folder that the service was started with."
    )


@router.get("/reports", responses=problems())
def list_reports(service: TheService) -> Reports:
    """List the reports of `synthgen validate` that the service shows."""
    return Reports(reports=list(entries(service.settings.reports)))


@router.get(
    "/reports/{name}.html",
    response_class=HTMLResponse,
    responses={200: {"content": bytes_of("text/html")}, **problems(404, 422)},
)
def get_report(
    service: TheService, name: Annotated[str, Path(description="A report's name.", max_length=200)]
) -> HTMLResponse:
    """Get the page of a report."""
    folder = _folders(service.settings.reports).get(name)
    if folder is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no report {name[:100]!r}; GET /v1/reports lists them")
    return HTMLResponse((folder / PAGE).read_bytes(), headers=HEADERS)


def check_reports(settings: Settings) -> None:
    """Raise InputError where the folder of reports is none."""
    if settings.reports is not None and not settings.reports.is_dir():
        raise InputError(
            f"--reports {settings.reports}: is not a folder; give one with the directories that "
            "`synthgen validate` wrote"
        )


def _folders(root: FilePath | None) -> dict[str, FilePath]:
    """The finished reports below a folder, by name."""
    if root is None:
        return {}
    return {
        folder.name: folder
        for folder in sorted(root.iterdir())
        if (folder / PAGE).is_file() and (folder / REPORT).is_file()
    }


def entries(root: FilePath | None) -> Iterator[ReportEntry]:
    """What is said of each report; one of another version is left out."""
    for name, folder in _folders(root).items():
        with suppress(InputError):
            yield _entry(name, read_report(folder))


def _entry(name: str, report: ValidationReport) -> ReportEntry:
    return ReportEntry(
        name=name,
        product=report.product,
        recommendation=report.recommendation[0],
        href=f"/v1/reports/{name}.html",
    )
