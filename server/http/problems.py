"""Errors as RFC 9457 problem details: one sentence, and the fields that are wrong."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from pydantic.dataclasses import dataclass
from starlette.exceptions import HTTPException

LOGGER = logging.getLogger("synthgen.server")
FOLDERS = re.compile(r"(?<![\w/.:*])/(?:[^\s/;:,'\"]+/)+")
CLIENT_LEFT = HTTPStatus.REQUEST_TIMEOUT
"""Nobody reads this response."""
MAX_FAULTS = 20
MAX_DETAIL = 2000
MAX_FIELD = 200
"""What a request can make a response repeat, in characters."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A field of the request, and what is wrong with it."""

    field: str = Field(description="Such as recipe.synthesizers.0.delta.")
    detail: str = Field(description="What was found, and what is expected.")


class ProblemDetail(BaseModel):
    """What every response says that is no success (RFC 9457)."""

    type: str = Field(description="about:blank: the status says all that there is to say of the kind.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The status of the response.")
    detail: str = Field(description="One sentence: what, where, found, expected.")
    errors: list[Fault] = Field([], description="The fields that are wrong, where it is fields.")


class Problem(Exception):  # noqa: N818 - the standard's name for it
    """A response that is no success; the server stays as it was."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.faults, self.headers = status, detail, faults, dict(headers or {})

    def response(self) -> Response:
        """The response: ``application/problem+json``."""
        body = ProblemDetail(
            type="about:blank",
            title=self.status.phrase,
            status=self.status,
            detail=self.detail[:MAX_DETAIL],
            errors=[
                Fault(fault.field[:MAX_FIELD], fault.detail[:MAX_DETAIL])
                for fault in self.faults[:MAX_FAULTS]
            ],
        )
        content = json.dumps(body.model_dump(exclude_defaults=True))
        return Response(content, self.status, self.headers, media_type="application/problem+json")


def refused(detail: str, *faults: Fault) -> Problem:
    """A request that was understood and cannot be served (422)."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, faults)


def later(status: HTTPStatus, detail: str, seconds: float) -> Problem:
    """A request that may come again after some seconds (429 or 503)."""
    return Problem(status, detail, headers={"Retry-After": str(max(1, round(seconds)))})


def without_folders(text: str) -> str:
    """A text whose absolute paths are cut to their last part; the rest is for the log."""
    return FOLDERS.sub("…/", text)


def install_problem_handlers(app: FastAPI) -> None:
    """Let every error of the application become a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Exception, _bug)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    detail = error.detail
    if status == HTTPStatus.NOT_FOUND and detail == status.phrase:
        detail = f"there is nothing at {_path(request)!r}; /docs lists what there is"
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another method")
        detail = f"{request.method[:MAX_FIELD]} is not allowed at {_path(request)!r}, only {allowed}"
    return Problem(status, detail, headers=error.headers).response()


def _path(request: Request) -> str:
    return str(request.scope["path"])[:MAX_FIELD]


async def _validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [
        Fault(
            ".".join(map(str, each["loc"][1:])),
            f"{each['msg'].removeprefix('Value error, ')}, found {str(each['input'])[:40]!r}",
        )
        for each in error.errors()
    ]
    return refused(f"{faults[0].field}: {faults[0].detail}", *faults).response()


async def _bug(request: Request, error: Exception) -> Response:
    LOGGER.error("unexpected %s at %s", type(error).__name__, _path(request), exc_info=error)
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "the server stumbled over this request; this is a bug, and logged"
    ).response()
