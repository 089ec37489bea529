"""The files of a report: the page, Markdown, JSON, and the pictures."""

from collections.abc import Mapping
from pathlib import Path

from synthgen.config.validation import first_fault
from synthgen.errors import InputError
from synthgen.storage.output import OutputDirectory, explained
from synthgen.validation.page import html, markdown
from synthgen.validation.report import ValidationReport

PAGE, REPORT = "report.html", "report.json"


def write_report(report: ValidationReport, pictures: Mapping[str, bytes], out: Path) -> None:
    """Write everything, each file whole; ``report.json`` comes last and says that all is there."""
    folder = OutputDirectory(str(out / "pictures"))
    folder.create()
    directory = OutputDirectory(str(out))
    with explained(str(out)):
        for name, data in pictures.items():
            folder.write(name, data)
        directory.write(PAGE, html(report, pictures))
        directory.write("report.md", markdown(report).encode())
        directory.write(REPORT, (report.model_dump_json(indent=1) + "\n").encode())


def read_report(out: str | Path) -> ValidationReport:
    """The report of a directory. Raises InputError where there is none of this version."""
    from pydantic import ValidationError

    path = Path(out) / REPORT
    try:
        return ValidationReport.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give a directory that `synthgen validate` wrote"
        ) from error
    except ValidationError as error:
        raise InputError(
            f"{path}: is no report of this version ({first_fault(error)}); validate again, to another --out"
        ) from error
