"""The page as one HTML file that needs nothing else: styles, plots and pictures stand in it."""

from base64 import b64encode
from collections.abc import Mapping

from synthgen.validation.page.particulars import scope, sections, title
from synthgen.validation.report import ValidationReport


def html(report: ValidationReport, pictures: Mapping[str, bytes]) -> bytes:
    """The page; ``pictures`` are the files, PNG, JPEG or WebP, of the report's pictures by their names.

    All text of the report is escaped. Raises ValueError for a picture that is missing or of another format.
    """
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates = files("synthgen.validation.page") / "templates"
    page = environment.from_string((templates / "report.html.j2").read_text("utf-8")).render(
        report=report,
        title=title(report),
        scope=scope(report),
        sections=sections(report),
        style=(templates / "style.css").read_text("utf-8"),
        sources={picture.file: _source(picture.file, pictures) for picture in report.pictures},
    )
    return page.encode()


def _source(name: str, pictures: Mapping[str, bytes]) -> str:
    """A picture as a data URI."""
    data = pictures.get(name, b"")
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        kind = "png"
    elif data.startswith(b"\xff\xd8\xff"):
        kind = "jpeg"
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind = "webp"
    else:
        raise ValueError(
            f"the picture {name} of the report is {'no PNG, JPEG or WebP' if data else 'missing'}"
        )
    return f"data:image/{kind};base64,{b64encode(data).decode()}"
