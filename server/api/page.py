"""The page at /, and the documentation at /docs; everything they need comes from here."""

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent.parent / "page"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
# Swagger's own code writes style attributes.
DOCS_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'"),
}

OPEN_PATHS = ("/docs", "/docs/files/", "/openapi.json", "/page/docs.js", "/page/icon.svg")
"""What is read without the key: the documentation, in which one then enters it."""

DOCS = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>synthgen: API</title>
<link rel="icon" href="/page/icon.svg"><link rel="stylesheet" href="/docs/files/swagger-ui.css"></head>
<body><div id="docs"></div>
<script src="/docs/files/swagger-ui-bundle.js"></script><script src="/page/docs.js"></script></body>
</html>
"""

router = APIRouter(include_in_schema=False)


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


@router.get("/")
async def page(request: Request) -> HTMLResponse:
    """The page, which is told whether requests need a key."""
    text = (FOLDER / "index.html").read_text(encoding="utf-8")
    wants_key = str(request.app.state.has_key).lower()
    return HTMLResponse(text.replace("<body>", f'<body data-wants-key="{wants_key}">'), headers=HEADERS)


@router.get("/docs")
async def docs() -> HTMLResponse:
    """The documentation, by Swagger UI."""
    return HTMLResponse(DOCS, headers=DOCS_HEADERS)


def mount_files(app: FastAPI) -> None:
    """Serve the page's files, and those of Swagger UI, which come with the package fastapi-offline."""
    app.mount("/page", _Files(directory=FOLDER), name="page")
    app.mount("/docs/files", _Files(packages=[("fastapi_offline", "static")]), name="docs")
